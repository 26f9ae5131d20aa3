import type { Clock } from "../../server/src/pacing/clock.js";

interface Timer {
  due: number;
  readonly every: number | undefined;
  readonly run: () => void;
}

/** A clock that stands still until a test moves it. */
export class TestClock implements Clock {
  readonly #timers = new Set<Timer>();
  #elapsed = 0;
  /** Epoch milliseconds beyond those that have passed: what a clock that is set jumps by. */
  #base = 1_760_000_000_000;

  now(): number {
    return this.#base + this.#elapsed;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  after(ms: number, run: () => void): () => void {
    return this.#add({ due: this.#elapsed + ms, every: undefined, run });
  }

  every(ms: number, run: () => void): () => void {
    return this.#add({ due: this.#elapsed + ms, every: ms, run });
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Lets time pass; what is due meanwhile runs at its moment. */
  pass(ms: number): void {
    const end = this.#elapsed + ms;
    for (;;) {
      const next = [...this.#timers].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
      if (next === undefined) break;
      this.#elapsed = next.due;
      if (next.every === undefined) this.#timers.delete(next);
      else next.due += next.every;
      next.run();
    }
    this.#elapsed = end;
  }

  /** Sets the clock forth or back, and runs nothing. */
  set(byMs: number): void {
    this.#base += byMs;
  }
}

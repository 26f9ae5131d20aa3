import { systemClock, type Clock } from "./clock.js";

/** Quarters of a second: what is enforced to the second may be so late. */
const TICK_MS = 250;

const tickOf = (seconds: number): number => Math.ceil((seconds * 1000) / TICK_MS);

/** Calls back at moments of the clock, with one timer for all of them. */
export class Schedule {
  readonly #due = new Map<number, Set<() => void>>();
  readonly #clock: Clock;
  readonly #stop: () => void;
  #done: number;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.#done = tickOf(clock.now() / 1000);
    this.#stop = clock.every(TICK_MS, () => this.#tick());
  }

  /**
   * @param seconds epoch seconds; what has passed is called with the next tick
   * @param run must not throw
   * @returns forgets it, if it was not called yet
   */
  at(seconds: number, run: () => void): () => void {
    const tick = Math.max(tickOf(seconds), this.#done + 1);
    let runs = this.#due.get(tick);
    if (runs === undefined) this.#due.set(tick, (runs = new Set()));
    // One of its own: the same function may be scheduled twice.
    const once = (): void => run();
    runs.add(once);
    return () => {
      runs.delete(once);
      if (runs.size === 0) this.#due.delete(tick);
    };
  }

  #tick(): void {
    const now = Math.floor(this.#clock.now() / TICK_MS);
    // A laptop that slept, or a clock that was set: only what is there is looked at, whatever the distance.
    const ticks = now - this.#done > this.#due.size ? [...this.#due.keys()].filter((tick) => tick <= now) : range(this.#done + 1, now);
    this.#done = now; // also where the clock was set back: what is due soon must not wait for the old time
    for (const tick of ticks.sort((a, b) => a - b)) {
      const runs = this.#due.get(tick);
      if (runs === undefined) continue;
      this.#due.delete(tick);
      for (const run of runs) run();
    }
  }

  stop(): void {
    this.#stop();
    this.#due.clear();
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}

const TICK_MS = 250;
const STALL_MS = 1000;
const AFTERMATH_MS = 10_000;

/**
 * Knows whether this process stood still a moment ago: stopped, swapped out, or on a machine that slept. What it reads then may
 * have waited in its sockets for so long that whoever sent it has tried elsewhere since.
 */
export class StallWatch {
  #tick: number = performance.now();
  #stalled = Number.NEGATIVE_INFINITY;
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.#look(performance.now()), TICK_MS);
    this.#timer.unref();
  }

  /** True now and for 10 s after a stall; also before the timer itself has noticed, since sockets are read first. */
  get recent(): boolean {
    const now = performance.now();
    if (now - this.#tick > STALL_MS) this.#stalled = now;
    return now - this.#stalled < AFTERMATH_MS;
  }

  #look(now: number): void {
    if (now - this.#tick > STALL_MS) this.#stalled = now;
    this.#tick = now;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

const LOOK_MS = 10;
const LONG_TURN_MS = 50;

/** Counts the turns of the event loop in which nobody else was served for longer than 50 ms. */
export class TurnWatch {
  #last: number = performance.now();
  #long = 0;
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => {
      const now = performance.now();
      if (now - this.#last - LOOK_MS > LONG_TURN_MS) this.#long++;
      this.#last = now;
    }, LOOK_MS);
    this.#timer.unref();
  }

  get long(): number {
    return this.#long;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

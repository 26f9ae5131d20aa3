// Another machine's clock, known by what it said between a question and its answer. To tell ages the middle of the quickest answer is
// best; to date what must not come out too young, the earliest time that every answer allows.

/** How long a reading of another clock is kept for its precision. Clocks drift apart by some milliseconds a minute at most. */
const KEPT_MS = 60_000;

/**
 * Another machine's clock, known by what it said and when it was asked: as exact as half the quickest answer of the last minute.
 * Pure. Moments of our own are milliseconds of any clock that never jumps.
 */
export class RemoteClock {
  /** What is to be added to our own time. */
  #ahead: number | undefined;
  #took = 0;
  #at = 0;

  /** @param time what it said, epoch milliseconds; asked at `sent`, answered at `received` */
  heard(time: number, sent: number, received: number): void {
    const took = received - sent;
    if (this.#ahead !== undefined && took > this.#took && received - this.#at < KEPT_MS) return;
    this.#ahead = time - (sent + received) / 2;
    this.#took = took;
    this.#at = received;
  }

  /** Epoch milliseconds; undefined before it was heard. */
  at(moment: number): number | undefined {
    return this.#ahead === undefined ? undefined : moment + this.#ahead;
  }
}

/** Readings that bound another clock: clocks drift. */
const READINGS = 8;

/**
 * Another machine's clock, never ahead of what it may be: where it and this process's may agree they are taken to; else the earliest
 * time that fits counts, so that no permit is dated later than it was given.
 */
export class CautiousClock {
  #readings: { readonly least: number; readonly most: number }[] = [];
  /** How far it is ahead of this process's, milliseconds; negative where it is behind. */
  offset = 0;

  /** @param time what it said; asked at `sent`, answered at `received`, by this process's clock. All epoch milliseconds */
  heard(time: number, sent: number, received: number): void {
    const newest = { least: time - received, most: time + 1 - sent };
    const bounds = [...this.#readings, newest].slice(-READINGS);
    // What does not go together was read before a clock was set.
    const fits = bounds.every((one) => one.least <= newest.most && one.most >= newest.least);
    this.#readings = fits ? bounds : [newest];
    const least = Math.max(...this.#readings.map((one) => one.least));
    const most = Math.min(...this.#readings.map((one) => one.most));
    this.offset = least <= 0 && most >= 0 ? 0 : least;
  }

  /** Epoch seconds. */
  get now(): number {
    return (Date.now() + this.offset) / 1000;
  }
}

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

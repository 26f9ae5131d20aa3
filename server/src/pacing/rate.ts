/** A token bucket: so many at once, and so many a second. The bounds come with each call, and are not kept for each socket. */
export class Rate {
  #left: number;
  #at: number;

  constructor(burst: number, now: number = performance.now()) {
    this.#left = burst;
    this.#at = now;
  }

  /** Takes one; returns 0, or the milliseconds until one is free. */
  take(perSecond: number, burst: number, now: number = performance.now()): number {
    this.#left = Math.min(burst, this.#left + ((now - this.#at) / 1000) * perSecond);
    this.#at = now;
    if (this.#left >= 1) {
      this.#left -= 1;
      return 0;
    }
    return Math.ceil(((1 - this.#left) / perSecond) * 1000);
  }
}

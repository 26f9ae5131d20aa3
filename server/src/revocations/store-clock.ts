/** Readings that count: clocks drift. */
const READINGS = 8;

/**
 * The store's clock, as far as answers tell it: the store read its own time between question and answer. Where the two clocks may
 * agree they are taken to; else the earliest time that fits counts, so that no permit is dated later than it was given.
 */
export class StoreClock {
  #readings: { readonly least: number; readonly most: number }[] = [];
  /** How far the store's clock is ahead of this process's, milliseconds; negative where it is behind. */
  offset = 0;

  /** @param asked when the question went out, and @param answered when the answer was there, by this process's clock; epoch milliseconds */
  read(store: number, asked: number, answered: number): void {
    const newest = { least: store - answered, most: store + 1 - asked };
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

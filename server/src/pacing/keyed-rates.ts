import { Rate } from "./rate.js";

/** A token bucket for each of many names. Those that are forgotten to make room, the oldest first, begin anew. */
export class KeyedRates {
  readonly #rates = new Map<string, Rate>();
  readonly #most: number;

  /** @param most names that are kept */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#rates.size;
  }

  /** Takes one; returns 0, or the milliseconds until one is free. */
  take(name: string, perSecond: number, burst: number, now: number = performance.now()): number {
    let rate = this.#rates.get(name);
    if (rate === undefined) {
      if (this.#rates.size >= this.#most) this.#rates.delete(this.#rates.keys().next().value as string);
      this.#rates.set(name, (rate = new Rate(burst, now)));
    }
    return rate.take(perSecond, burst, now);
  }
}

import { Rate } from "./rate.js";

/** Seconds of its rate that somebody may spend at once. */
export const BURST_SECONDS = 10;

/** A rate for each of many names, that strangers may have chosen: who has not spent anything for a while is not remembered. */
export class Rates {
  /** Who spent last, last. */
  readonly #rates = new Map<string, { readonly rate: Rate; at: number }>();

  get size(): number {
    return this.#rates.size;
  }

  /** Takes one; returns 0, or the milliseconds until one is free. Ten seconds of it may be taken at once. */
  take(name: string, perSecond: number, now: number = performance.now()): number {
    for (const [other, { at }] of this.#rates) {
      if (now - at < BURST_SECONDS * 1000) break; // by then everything is there again
      this.#rates.delete(other);
    }
    const burst = perSecond * BURST_SECONDS;
    const known = this.#rates.get(name) ?? { rate: new Rate(burst, now), at: now };
    known.at = now;
    this.#rates.delete(name);
    this.#rates.set(name, known);
    return known.rate.take(perSecond, burst, now);
  }
}

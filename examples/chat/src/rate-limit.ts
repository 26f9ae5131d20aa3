import { BellwireError } from "@bellwire/protocol";

const MAX_KEYS = 10_000;

interface Bucket {
  left: number;
  /** By `performance.now()`. */
  at: number;
}

/** So much at once for each key, and so much a second after that. */
export class RateLimit {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
  }

  /** @throws BellwireError `limit`, which says when to come back */
  take(key: string): void {
    const now = performance.now();
    const { left, at } = this.#buckets.get(key) ?? { left: this.#burst, at: now };
    const filled = Math.min(this.#burst, left + ((now - at) / 1000) * this.#perSecond);
    if (filled < 1) {
      const after = Math.ceil(((1 - filled) / this.#perSecond) * 1000);
      throw new BellwireError("limit", "Not so fast", { after });
    }
    this.#buckets.delete(key);
    this.#buckets.set(key, { left: filled - 1, at: now });
    if (this.#buckets.size > MAX_KEYS) this.#buckets.delete(this.#buckets.keys().next().value as string);
  }
}

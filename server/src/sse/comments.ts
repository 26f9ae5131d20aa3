const TICK_MS = 1000;

/** Says by turns, and for each one evenly from its beginning on, that it is there. One timer for all. */
export class Comments<T> {
  readonly #slots: readonly Set<T>[];
  readonly #timer: NodeJS.Timeout;
  #tick = 0;

  /** @param every milliseconds, whole seconds of them */
  constructor(every: number, say: (one: T) => void) {
    this.#slots = Array.from({ length: Math.max(1, Math.floor(every / TICK_MS)) }, () => new Set<T>());
    this.#timer = setInterval(() => {
      this.#tick = (this.#tick + 1) % this.#slots.length;
      for (const one of this.#slots[this.#tick] as Set<T>) say(one);
    }, TICK_MS);
    this.#timer.unref();
  }

  /** Returns what ends it. */
  add(one: T): () => void {
    const slot = this.#slots[this.#tick] as Set<T>;
    slot.add(one);
    return () => slot.delete(one);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

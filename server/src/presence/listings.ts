import { setTimeout as pause } from "node:timers/promises";

// For each so many milliseconds that reading a list may take, e.g. 100 ms between two lists of 10,000.
const USERS_PER_MS = 100;

/**
 * Reads lists for any number who ask: one at a time for the same name, the next for all who asked since it began, and long ones
 * with pauses. However many ask, a list of ten thousand is not read ten thousand times.
 */
export class Listings<T> {
  readonly #sizeOf: (list: T) => number;
  /** Not begun. */
  readonly #next = new Map<string, Promise<T>>();
  /** Begun, pauses included. */
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(sizeOf: (list: T) => number) {
    this.#sizeOf = sizeOf;
  }

  /** Settles as a reading does that begins after this call. */
  read(name: string, run: () => Promise<T>): Promise<T> {
    let next = this.#next.get(name);
    if (next === undefined) {
      next = this.#begin(name, this.#running.get(name), run);
      this.#next.set(name, next);
    }
    return next;
  }

  async #begin(name: string, before: Promise<unknown> | undefined, run: () => Promise<T>): Promise<T> {
    await before;
    this.#next.delete(name);
    const reading = run();
    const rest = reading.then(
      (list) => pause(Math.floor(this.#sizeOf(list) / USERS_PER_MS), undefined, { ref: false }),
      () => undefined,
    );
    this.#running.set(name, rest);
    void rest.then(() => {
      if (this.#running.get(name) === rest) this.#running.delete(name);
    });
    return reading;
  }
}

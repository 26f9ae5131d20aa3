import { systemClock, type Clock } from "./clock.js";

/**
 * Whoever has left and may be back in a moment: a page that is loaded anew, a connection that broke. One timer for all of them.
 */
export class Departures<T> {
  readonly #grace: number;
  readonly #gone: (item: T) => void;
  /** By the time at which they are gone for good, the earliest first. */
  readonly #due = new Map<T, number>();
  readonly #clock: Clock;
  /** Ends the wait under way. */
  #forget: (() => void) | undefined;

  /** @param grace milliseconds, the same for all */
  constructor(grace: number, gone: (item: T) => void, clock: Clock = systemClock) {
    this.#clock = clock;
    this.#grace = grace;
    this.#gone = gone;
  }

  leave(item: T): void {
    this.#due.delete(item);
    this.#due.set(item, this.#clock.elapsed() + this.#grace);
    this.#forget ??= this.#wait(this.#grace);
  }

  /** True where it had left. */
  back(item: T): boolean {
    return this.#due.delete(item);
  }

  has(item: T): boolean {
    return this.#due.has(item);
  }

  #wait(ms: number): () => void {
    return this.#clock.after(Math.max(1, ms), () => this.#look());
  }

  #look(): void {
    this.#forget = undefined;
    const now = this.#clock.elapsed();
    for (const [item, due] of this.#due) {
      if (due > now) {
        this.#forget = this.#wait(due - now);
        return;
      }
      this.#due.delete(item);
      this.#gone(item);
    }
  }

  stop(): void {
    this.#forget?.();
    this.#due.clear();
  }
}

/**
 * Whoever has left and may be back in a moment: a page that is loaded anew, a connection that broke. One timer for all of them.
 */
export class Departures<T> {
  readonly #grace: number;
  readonly #gone: (item: T) => void;
  /** By the time at which they are gone for good, the earliest first. */
  readonly #due = new Map<T, number>();
  #timer: NodeJS.Timeout | undefined;

  /** @param grace milliseconds, the same for all */
  constructor(grace: number, gone: (item: T) => void) {
    this.#grace = grace;
    this.#gone = gone;
  }

  leave(item: T): void {
    this.#due.delete(item);
    this.#due.set(item, performance.now() + this.#grace);
    this.#timer ??= this.#wait(this.#grace);
  }

  /** True where it had left. */
  back(item: T): boolean {
    return this.#due.delete(item);
  }

  has(item: T): boolean {
    return this.#due.has(item);
  }

  #wait(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#look(), Math.max(1, ms)).unref();
  }

  #look(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [item, due] of this.#due) {
      if (due > now) {
        this.#timer = this.#wait(due - now);
        return;
      }
      this.#due.delete(item);
      this.#gone(item);
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#due.clear();
  }
}

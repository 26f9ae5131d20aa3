import { BellwireError } from "@bellwire/protocol";

/** How often overdue work is looked for, in milliseconds. */
const SWEEP_MS = 50;

interface Guarded {
  readonly deadline: number;
  readonly overdue: () => void;
}

/** Bounds the time of any number of promises with one timer, which runs only while some of them are pending. */
export class Guard {
  readonly #guarded = new Set<Guarded>();
  #timer: NodeJS.Timeout | undefined;

  /** Settles as the promise does, or rejects with `unavailable` up to 70 ms after `timeout` milliseconds; a late failure is swallowed. */
  within<T>(promise: Promise<T>, timeout: number, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const overdue = (): void => reject(new BellwireError("unavailable", `${what} took longer than ${timeout} ms`));
      const guarded = { deadline: performance.now() + timeout + 20, overdue };
      this.#guarded.add(guarded);
      this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS);
      promise.then(
        (value) => {
          this.#guarded.delete(guarded);
          resolve(value);
        },
        (error: unknown) => {
          this.#guarded.delete(guarded);
          reject(error);
        },
      );
    });
  }

  #sweep(): void {
    if (this.#guarded.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const now = performance.now();
    for (const guarded of this.#guarded) {
      if (guarded.deadline > now) continue;
      this.#guarded.delete(guarded);
      guarded.overdue();
    }
  }
}

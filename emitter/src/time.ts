import { BellwireError } from "@bellwire/protocol";

/** Settles within `timeout` milliseconds, whatever the promise does; a late failure is swallowed. */
export function within<T>(promise: Promise<T>, timeout: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new BellwireError("unavailable", `${what} took longer than ${timeout} ms`)), timeout);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}

/** Milliseconds. */
export interface BackoffBounds {
  readonly least: number;
  readonly most: number;
}

/**
 * Milliseconds before the next attempt: twice as long after each, with half of it up to chance, so that many don't come back at once.
 * @param failed attempts so far, from 1
 * @param random from 0 to 1
 */
export function backoff(failed: number, { least, most }: BackoffBounds, random: number = Math.random()): number {
  return Math.min(least * 2 ** Math.min(failed - 1, 30), most) * (0.5 + random / 2);
}

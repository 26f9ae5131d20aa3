import { ClientError } from "../errors.js";

/** Milliseconds that the backend, or the application's own token getter, has for an answer. */
export const TOKEN_TIMEOUT = 10_000;

/**
 * Runs foreign code that may throw, hang or ignore its signal, and settles within the time whatever it does.
 * @param what begins the sentence of the error, e.g. "The token endpoint"
 */
export function withDeadline<T>(what: string, run: (signal: AbortSignal) => T | Promise<T>, timeout: number = TOKEN_TIMEOUT): Promise<T> {
  return new Promise((resolve, reject) => {
    const controller = new AbortController();
    const timer = setTimeout(() => {
      reject(new ClientError({ code: "timeout", message: `${what} gave no answer within ${timeout / 1000} s` }));
      controller.abort();
    }, timeout);
    void new Promise<T>((settle) => settle(run(controller.signal))).then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

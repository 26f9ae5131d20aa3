import { ClientError } from "../errors.js";

/** Milliseconds that the backend, or the application's own token getter, has for an answer. */
export const TOKEN_TIMEOUT = 10_000;

export interface Deadline {
  /** Ends the wait at once: nobody needs the answer any more. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds. */
  readonly timeout?: number;
}

/**
 * Runs foreign code that may throw, hang or ignore its signal, and settles within the time whatever it does.
 * @param what begins the sentence of the error, e.g. "The token endpoint"
 */
export async function withDeadline<T>(
  what: string,
  run: (signal: AbortSignal) => T | Promise<T>,
  { signal, timeout = TOKEN_TIMEOUT }: Deadline = {},
): Promise<T> {
  const controller = new AbortController();
  let giveUp: (message: string) => void = () => {};
  const given = new Promise<never>((_, reject) => {
    giveUp = (message) => {
      reject(new ClientError({ code: "timeout", message: `${what} ${message}` }));
      controller.abort();
    };
  });
  const onAbort = (): void => giveUp("is not waited for any longer");
  const timer = setTimeout(() => giveUp(`gave no answer within ${timeout / 1000} s`), timeout);
  signal?.addEventListener("abort", onAbort);
  if (signal?.aborted) onAbort();
  try {
    return await Promise.race([given, new Promise<T>((settle) => settle(run(controller.signal)))]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

import { ClientError } from "./errors.js";
import { invoke, type Report } from "./invoke.js";

/**
 * Sends errors to whoever listens. With no listener an exception of the application becomes an uncaught error of its own
 * turn, a refusal for good goes to the console, and what mends itself stays quiet.
 * @param listener returns whether anybody took it
 */
export function createReporter(onError: ((error: Error) => unknown) | undefined, listener: (error: Error) => boolean): Report {
  return (thrown) => {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
    const heard = listener(error);
    if (onError !== undefined) return invoke(onError, uncaught, error);
    if (heard) return;
    if (!(error instanceof ClientError)) uncaught(error);
    else if (error.retry === "never") console.error(`bellwire: ${error.message} (${error.code})`);
  };
}

/** The last resort, also for error handlers that throw. Later, so that it can't disturb who is calling. */
export function uncaught(error: unknown): void {
  setTimeout(() => {
    if (typeof reportError === "function") reportError(error);
    else console.error(error);
  }, 0);
}

import { invoke, type Report } from "./invoke.js";
import { uncaught } from "./reporter.js";

/**
 * Tells of what must not pass in silence although it may mend itself, where the reporter would keep quiet. To be called once for each
 * time that it happens. With nobody to listen it goes to the console.
 * @param listener returns whether anybody took it
 */
export function createAnnounce(onError: ((error: Error) => unknown) | undefined, listener: (error: Error) => boolean): Report {
  return (thrown) => {
    const error = thrown as Error & { readonly code?: string };
    const heard = listener(error);
    if (onError !== undefined) invoke(onError, uncaught, error);
    else if (!heard) console.warn(`bellwire: ${error.message} (${error.code})`);
  };
}

import { backoff } from "./time.js";
import { BellwireError, type Code } from "@bellwire/protocol";

// After these the message may stand in the log or not; a retry with the same id finds out and is harmless.
const OUTCOME_UNKNOWN: ReadonlySet<Code> = new Set<Code>(["unavailable", "timeout", "internal", "draining"]);

export function isOutcomeUnknown(error: BellwireError): boolean {
  return !(error instanceof NotSent) && OUTCOME_UNKNOWN.has(error.code);
}

const WAIT_MS = { least: 50, most: 1600 } as const;

/**
 * Milliseconds before the next attempt: 50, 100, 200, 400, ... with half of it up to chance, so that many publishers don't
 * come back at once. At least what a `limit` asks for.
 * @param failed attempts so far, from 1
 */
export function waitAfter(failed: number, error: BellwireError, random: number): number {
  return Math.max(backoff(failed, WAIT_MS, random), error.after ?? 0);
}

/**
 * What the caller learns in the end. An unknown outcome is always `unavailable`, whatever the last attempt ran into.
 * @param unknown what to say of it
 */
export function finalError(last: BellwireError, outcomeUnknown: boolean, unknown: string): BellwireError {
  if (!outcomeUnknown || last.retry !== "later") return last;
  return new BellwireError("unavailable", `${unknown}: ${last.message}`, { cause: last });
}

/** Nobody was ever there to send it to, so nothing was sent: the outcome is known, and no other attempt is made. */
export class NotSent extends BellwireError {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super("unavailable", message, options);
  }
}

/** The relay has realtime switched off: nothing went wrong, and nothing was published. */
export class SwitchedOff extends BellwireError {
  constructor() {
    super("unsupported", "Realtime is switched off at the relay");
  }
}

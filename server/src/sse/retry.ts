import type { BellwireError } from "@bellwire/protocol";

/** Milliseconds, from and to: a relay's clients must not be back in one moment. */
const AT_FIRST = [1000, 5000] as const;
const IN_DRAIN = [200, 2000] as const;
/** A stream that ended for good. A browser's EventSource comes back whatever it is told, unless its page closes it. */
const NEVER_MS = 24 * 3600 * 1000;

/** When to come back after the relay is gone without a word. @param random from 0 to 1 */
export function retryAtFirst(random: number): number {
  return between(AT_FIRST, random);
}

/** When to come back where the relay ends each client at a moment of its own. */
export function retryInDrain(random: number): number {
  return between(IN_DRAIN, random);
}

/** When to come back after a `bye`. */
export function retryAfter({ retry, code, after = 0 }: Pick<BellwireError, "retry" | "code" | "after">, random: number): number {
  if (retry === "never") return NEVER_MS;
  return Math.round(after) + between(code === "draining" ? IN_DRAIN : AT_FIRST, random);
}

function between([from, to]: readonly [number, number], random: number): number {
  return Math.round(from + random * (to - from));
}

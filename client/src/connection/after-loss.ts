import type { Retry } from "@bellwire/protocol";

export interface Loss {
  /** What the error says. */
  readonly retry: Retry;
  /** Whether the relay had said hello. */
  readonly wasUp: boolean;
  /** Whether the attempt showed a ticket, not a token. */
  readonly usedTicket: boolean;
  /** Whether a refused token can be replaced by another. */
  readonly renewable: boolean;
}

/**
 * What follows a lost or refused connection: an attempt after the backoff's wait, one at once, or none, by the error's own word or
 * since there is no other token to try.
 */
export function afterLoss({ retry, wasUp, usedTicket, renewable }: Loss): "later" | "now" | "stop" | "no-token" {
  if (retry === "never") return "stop";
  // A connection that was up may return with what it has: a hook may let it in, and a token that doesn't do is refused then.
  if (retry === "later" || wasUp) return "later";
  // A ticket that ran out is no failure, and there is no second one: this can't go round in circles.
  if (usedTicket) return "now";
  return renewable ? "later" : "no-token";
}

import { endCovers, type End } from "@bellwire/emitter/commands";
import { authorityOf, type ConnectionPermit } from "../auth/permits.js";
import type { Permit } from "../revocations/revocation.js";
import type { Wanted } from "../stores/held.js";

/** A subscription that a token or connect reply lists, and what listed it. */
export interface Listed extends Wanted {
  readonly by: Permit;
}

const MICROSECONDS = 1_000_000;

export function listedOf(permit: ConnectionPermit): Listed[] {
  return permit.subscriptions.map((grant) => ({ topic: grant.topic, filter: grant.filter, by: authorityOf(grant, permit) }));
}

/**
 * Was it ended since it was listed? A token lists what was wanted when it was issued: an `unsubscribe` that is not older ends that for
 * whoever comes back with it, or with a ticket that goes back to it. Revocations are judged elsewhere.
 */
export function listedEnded({ topic, filter, by }: Listed, ends: readonly End[]): boolean {
  return ends.some((end) => !end.wide && by.iat <= end.stamp / MICROSECONDS && endCovers(end, topic, filter));
}

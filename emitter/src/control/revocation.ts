import type { RevokeCommand } from "./command.js";

/** How long a revocation is kept, in milliseconds. Tickets end 24 h after the token they go back to; give tokens less than this to live. */
export const REVOCATION_LIFE_MS: number = 7 * 24 * 3600 * 1000;

/** Revocations in force at a time, over all sites. Past it a further one is refused with `limit`: none is dropped silently. */
export const MAX_REVOCATIONS = 100_000;

/** A revocation as it is stored: JSON text of which equal ones have one form, so that a repetition only moves its time. */
export function revocationText({ site, user, session, client, jti, topic, filter }: RevokeCommand): string {
  return JSON.stringify({ site, user, session, client, jti, topic, filter });
}

import { filterMatches, type ParsedFilter, type Position } from "@bellwire/protocol";
import { isExcluded, type Message, type Viewer } from "./message.js";
import type { Ring } from "./ring.js";

/** Where a subscription comes from: first time (with or without replay), a known position, or an unknown one. */
export type Since = { readonly first: true; readonly replay: boolean } | { readonly position: Position } | { readonly unknown: true };

/** What a subscription is answered; "older" means that the ring does not reach back far enough and the log may. */
export type Recovery = { readonly messages: readonly Message[]; readonly resync: boolean } | "older";

/** Bounds of one answer: past them a client refetches, which is cheaper for everybody. */
export const RECOVERY_LIMITS = { messages: 1000, bytes: 1_048_576 } as const;

const RESYNC: Recovery = { messages: [], resync: true };
const NOTHING: Recovery = { messages: [], resync: false };

/**
 * What has the subscription missed? Complete only where the ring proves `since + 1 ... head` contiguous in one epoch;
 * otherwise resync. Pure.
 * @param oldest messages of an earlier time (epoch milliseconds) are no longer in the log, except the newest
 */
export function recover(ring: Ring, head: Position, since: Since, filter: ParsedFilter, viewer: Viewer, oldest: number): Recovery {
  const matches = (message: Message): boolean => message.valid && filterMatches(filter, message.data) && !isExcluded(message, viewer);
  if ("unknown" in since) return RESYNC;
  if ("first" in since) {
    if (!since.replay) return NOTHING;
    const last = ring.findLast((message, newest) => (newest || message.time > oldest) && matches(message));
    if (last !== undefined) return { messages: [last], resync: false };
    return ring.whole ? NOTHING : "older";
  }
  const { epoch, offset } = since.position;
  if (epoch !== head.epoch || offset > head.offset) return RESYNC;
  const missed = ring.after(offset);
  if (missed === undefined) return ring.whole ? RESYNC : "older";
  const messages = missed.filter(matches);
  const bytes = messages.reduce((sum, message) => sum + message.text.length, 0);
  if (messages.length > RECOVERY_LIMITS.messages || bytes > RECOVERY_LIMITS.bytes) return RESYNC;
  return { messages, resync: false };
}

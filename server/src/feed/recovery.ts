import { filterMatches, type ParsedFilter, type Position } from "@bellwire/protocol";
import { isExcluded, type Message, type Viewer } from "./message.js";
import type { Ring } from "./ring.js";

/** Whether a first subscription gets the last matching message: any, none, or one that is at most `maxAge` milliseconds old. */
export type Replay = boolean | { readonly maxAge: number };

/** What a log says of its past: messages of before `oldest` are no longer in it, except the newest. Both epoch milliseconds, by its clock. */
export interface LogTime {
  readonly now: number;
  readonly oldest: number;
}

/** Where a subscription comes from: first time (with or without replay), a known position, or an unknown one. */
export type Since = { readonly first: true; readonly replay: Replay } | { readonly position: Position } | { readonly unknown: true };

/** What a subscription is answered; "older" means that the ring does not reach back far enough and the log may. */
export type Recovery = { readonly messages: readonly Message[]; readonly resync: boolean } | "older";

/** Bounds of one answer: past them a client refetches, which is cheaper for everybody. */
export const RECOVERY_LIMITS = { messages: 1000, bytes: 1_048_576 } as const;

const RESYNC: Recovery = { messages: [], resync: true };
const NOTHING: Recovery = { messages: [], resync: false };

/**
 * What has the subscription missed? Complete only where the ring proves `since + 1 ... head` contiguous in one epoch;
 * otherwise resync. Pure.
 */
export function recover(ring: Ring, head: Position, since: Since, filter: ParsedFilter, viewer: Viewer, time: LogTime): Recovery {
  const matches = (message: Message): boolean => message.valid && filterMatches(filter, message.data) && !isExcluded(message, viewer);
  if ("unknown" in since) return RESYNC;
  if ("first" in since) {
    if (since.replay === false) return NOTHING;
    const youngest = since.replay === true ? Number.NEGATIVE_INFINITY : time.now - since.replay.maxAge;
    const last = ring.findLast((message, newest) => (newest || message.time > time.oldest) && matches(message));
    if (last !== undefined) return last.time >= youngest ? { messages: [last], resync: false } : NOTHING;
    // What lies before a message that is too old is older still: no need to read the log for it.
    return ring.whole || (ring.first !== undefined && ring.first.time < youngest) ? NOTHING : "older";
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

import { BellwireError, filterMatches, isEpoch, isOffset, type ParsedFilter, type Position } from "@bellwire/protocol";
import { Message } from "../feed/message.js";
import { unmarked } from "../feed/unsettled.js";
import type { Tail } from "../stores/log.js";

export const HISTORY_LIMITS = { messages: 1000, byDefault: 100 } as const;

/** What is asked of a topic's log. */
export interface HistoryQuery {
  /** Messages after this position, the oldest first; undefined: the newest. */
  readonly since: Position | undefined;
  /** At most so many messages. */
  readonly limit: number;
  readonly filter: ParsedFilter;
}

export interface History extends Position {
  /** In order: offset, time in epoch milliseconds, and the data. */
  readonly messages: readonly ReturnType<Message["toWire"]>[];
  /** True where `messages` are all that match, after `since` or from the log's beginning; false where some are gone, or left out. */
  readonly complete: boolean;
}

/** What a log's tail answers. Pure. @param tail what was read after `since`, or without it: no less than `limit` messages, where there are so many */
export function historyOf({ head, entries }: Tail, { since, limit, filter }: HistoryQuery): History {
  const known = since === undefined || (since.epoch === head.epoch && since.offset <= head.offset);
  if (!known) return { ...head, messages: [], complete: false };
  const from = since?.offset ?? 0;
  const read = entries.filter(({ offset }) => offset > from && offset <= head.offset).map((entry) => new Message(entry));
  const whole = read.length === head.offset - from && read.every(({ valid }) => valid);
  const matching = read.filter((message) => message.valid && filterMatches(filter, message.data));
  const given = since === undefined ? matching.slice(-limit) : matching.slice(0, limit);
  return { ...head, messages: given.map((message) => message.toWire()), complete: whole && given.length === matching.length };
}

/** Reads `since=<epoch>-<offset>`. @throws BellwireError `bad-request` */
export function parseSince(text: string | undefined): Position | undefined {
  if (text === undefined) return undefined;
  const at = text.lastIndexOf("-");
  const [epoch, offset] = [text.slice(0, Math.max(0, at)), text.slice(at + 1)];
  if (at >= 0 && isEpoch(epoch) && /^\d{1,16}$/.test(offset) && isOffset(Number(offset))) {
    const position = { epoch, offset: Number(offset) };
    return unmarked(position) ?? position; // a client's, it may be
  }
  throw new BellwireError("bad-request", "since is a position, <epoch>-<offset>; leave it out to get the newest messages");
}

/** Reads `limit`. @throws BellwireError `bad-request` */
export function parseLimit(text: string | undefined): number {
  if (text === undefined) return HISTORY_LIMITS.byDefault;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= HISTORY_LIMITS.messages) return limit;
  throw new BellwireError("bad-request", `limit is a number from 1 to ${HISTORY_LIMITS.messages}`);
}

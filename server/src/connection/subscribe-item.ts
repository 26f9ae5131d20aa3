import { BellwireError, asObject, limits, parseFilter, parsePosition, parseTopic, type ParsedFilter } from "@bellwire/protocol";
import type { Replay, Since } from "../feed/recovery.js";

/** One item of a `subscribe`, checked. Tokens and tickets are still to be verified. */
export interface SubscribeRequest {
  readonly id: string;
  readonly topic: string;
  readonly filter: ParsedFilter;
  readonly token: unknown;
  readonly ticket: unknown;
  readonly since: Since;
}

/** The id of an item, if it has a usable one: without it no result could be told apart. */
export function parseId(value: unknown): string {
  if (typeof value !== "string" || value.length === 0 || value.length > limits.idLength) {
    throw new BellwireError("bad-request", `An id is a string of 1 to ${limits.idLength} characters`);
  }
  return value;
}

/** Reads one item. @throws BellwireError `bad-request`, or `forbidden` for a reserved topic */
export function parseSubscribeItem(source: Record<string, unknown>): SubscribeRequest {
  const id = parseId(source.id);
  if (id.startsWith("$")) throw new BellwireError("bad-request", "Ids that begin with $ are the server's");
  return {
    id,
    topic: parseTopic(source.topic),
    filter: parseFilter(source.filter),
    token: source.token,
    ticket: source.ticket,
    since: parseSince(source),
  };
}

/**
 * Reads `replay`: true, false, or `{maxAge}` in milliseconds. Absent and null mean true.
 * @throws BellwireError `bad-request`
 */
export function parseReplay(value: unknown): Replay {
  if (value === undefined || value === null) return true;
  if (typeof value === "boolean") return value;
  const source = asObject(value);
  if (source === undefined) throw new BellwireError("bad-request", "replay is true, false, or {maxAge: milliseconds}");
  const { maxAge } = source;
  if (typeof maxAge === "number" && Number.isFinite(maxAge) && maxAge >= 0) return { maxAge };
  throw new BellwireError("bad-request", "replay.maxAge is a number of milliseconds, 0 or more");
}

function parseSince({ since, replay }: Record<string, unknown>): Since {
  const wanted = parseReplay(replay);
  if (since === undefined) return { first: true, replay: wanted };
  if (since === null) return { unknown: true };
  return { position: parsePosition(since) };
}

/** Reads the list that a `subscribe` carries. @throws BellwireError `bad-request` or `limit` */
export function parseSubscribeList(value: unknown, most: number): Record<string, unknown>[] {
  if (!Array.isArray(value)) throw new BellwireError("bad-request", "subscribe takes a list of {id, topic, filter, ...}");
  if (value.length > most) throw new BellwireError("limit", `At most ${most} subscriptions in one frame`);
  return value.map((item) => {
    const source = asObject(item);
    if (source === undefined) throw new BellwireError("bad-request", "Each subscription is an object");
    parseId(source.id);
    return source;
  });
}

/** Reads the list that an `unsubscribe` carries. */
export function parseIds(value: unknown, most: number): string[] {
  if (!Array.isArray(value)) throw new BellwireError("bad-request", "unsubscribe takes a list of ids");
  if (value.length > most) throw new BellwireError("limit", `At most ${most} ids in one frame`);
  return value.map(parseId);
}

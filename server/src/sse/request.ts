import type { IncomingHttpHeaders } from "node:http";
import { asObject, BellwireError } from "@bellwire/protocol";

/** Subscriptions of one stream. */
export const MAX_ITEMS = 50;

/** What a stream is asked for. */
export interface EventsRequest {
  readonly token: string | undefined;
  /** The id that the client comes back with. */
  readonly lastEventId: string | undefined;
  /** Items of `subscribe`, each an object and otherwise unchecked. */
  readonly items: readonly Record<string, unknown>[];
}

/** @throws BellwireError `bad-request`, or `limit` for too many items */
export function parseEventsRequest(query: Readonly<Record<string, unknown>>, headers: IncomingHttpHeaders): EventsRequest {
  return {
    token: bearer(headers.authorization) ?? one(query, "token"),
    // A browser's EventSource sends the header when it comes back, and the query as it was.
    lastEventId: text(headers["last-event-id"]) ?? one(query, "lastEventId"),
    items: parseItems(one(query, "subscribe")),
  };
}

function bearer(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined;
  const token = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (token === undefined) throw new BellwireError("token-invalid", "Send Authorization: Bearer <token>, or ?token=");
  return token;
}

function parseItems(subscribe: string | undefined): Record<string, unknown>[] {
  if (subscribe === undefined) return [];
  const list = jsonOf(subscribe);
  if (!Array.isArray(list)) {
    throw new BellwireError("bad-request", 'subscribe is JSON, a list such as [{"topic":"news","filter":{"id":5}}], encoded for a URL');
  }
  if (list.length > MAX_ITEMS) throw new BellwireError("bad-request", `At most ${MAX_ITEMS} subscriptions on one stream`);
  return (list as unknown[]).map((item) => {
    const source = asObject(item);
    if (source === undefined) throw new BellwireError("bad-request", "Each subscription is an object {topic, filter, since, replay}");
    return source;
  });
}

function jsonOf(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function text(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === "string" ? header : undefined;
}

/** A parameter of the query. @throws BellwireError `bad-request` where it is there twice */
function one(query: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = query[name];
  if (value === undefined || typeof value === "string") return value;
  throw new BellwireError("bad-request", `${name} is there more than once`);
}

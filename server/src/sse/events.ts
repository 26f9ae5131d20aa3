import type { OutgoingHttpHeaders } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import {
  BellwireError,
  isSite,
  parsePosition,
  parseSite,
  SUBSCRIBE_AUDIENCE,
  type Subscribed,
  type SubscribeResult,
  type TopicPosition,
} from "@bellwire/protocol";
import { isFor } from "../auth/tokens.js";
import { Connection } from "../connection/connection.js";
import { fromWire } from "../connection/failure.js";
import { HeldSubscriptions, type HeldSince } from "../connection/held-subscriptions.js";
import type { Reception } from "../connection/reception.js";
import type { Subscriptions } from "../connection/subscriptions.js";
import { beginningsOf, type Beginning } from "./answer.js";
import { Comments } from "./comments.js";
import { parseId, type Returned } from "./heard.js";
import { EventWire } from "./event-wire.js";
import { parseEventsRequest, type EventsRequest } from "./request.js";

export interface EventsOptions {
  readonly reception: Reception;
  readonly subscriptions: Subscriptions;
  /** Whether pages of an origin may connect; it sees to it that a refusal is told to the operator. */
  readonly allowed: (origin: string | undefined, site: string) => boolean;
  /** Whether pages of any origin may connect to a site. */
  readonly toAll: (site: string) => boolean;
  /** Milliseconds after which a stream says that it is there, whatever it has said. Default 15 s. */
  readonly comment?: number | undefined;
}

const PATH = "/v1/sites/:site/events";
const COMMENT_MS = 15_000;
/** What a browser may ask before it sends a header of a page's own, as `fetch` does; seconds for which it remembers. */
const PREFLIGHT = {
  "access-control-allow-methods": "GET",
  "access-control-allow-headers": "authorization, last-event-id, cache-control",
  "access-control-max-age": "600",
};

/** Is this a request for a stream? @param url without the public URL's path */
export function isEventsPath(url: string): boolean {
  return /^\/v1\/sites\/[^/?]+\/events\/?(?:\?|$)/.test(url);
}

/** An item of a `subscribe`, as it is checked there. */
interface Item extends Readonly<Record<string, unknown>> {
  readonly topic: unknown;
  readonly since?: unknown;
}

interface Stream {
  readonly wire: EventWire;
  readonly connection: Connection;
}

type Site = { Params: { site: string }; Querystring: Record<string, unknown> };

/** Subscriptions as server-sent events. Returns what ends the comments. */
export function registerEvents(app: FastifyInstance, options: EventsOptions): () => void {
  const comments = new Comments<Stream>(options.comment ?? COMMENT_MS, ({ wire, connection }) => {
    if (!connection.closed) connection.wrote(wire.comment());
  });

  app.options<Site>(PATH, async ({ headers, params }, reply) => {
    allowOrigin(reply, headers.origin, params.site, options);
    return reply.code(204).headers(PREFLIGHT).send();
  });
  app.get<Site>(PATH, { exposeHeadRoute: false }, async (request, reply) => {
    reply.header("cache-control", "no-store");
    const { site } = request.params;
    let refused: BellwireError | undefined;
    try {
      allowOrigin(reply, request.headers.origin, site, options);
      refused = await open(request, reply, options, comments);
    } catch (error) {
      throw options.reception.turnedAway(isSite(site) ? site : undefined, error);
    }
    if (refused !== undefined) throw options.reception.refused(refused);
  });
  return () => comments.close();
}

function allowOrigin(reply: FastifyReply, origin: string | undefined, site: string, { allowed, toAll }: EventsOptions): void {
  reply.header("vary", "origin");
  if (!allowed(origin, site))
    throw new BellwireError("forbidden", "Pages of this origin may not connect: REALTIME_ALLOWED_ORIGINS names those that may");
  if (origin === undefined) return;
  // Where every page may connect, none does so with somebody's cookies.
  if (toAll(site)) reply.header("access-control-allow-origin", "*");
  else reply.headers({ "access-control-allow-origin": origin, "access-control-allow-credentials": "true" });
}

/** Begins a stream, or rejects; resolves to an error where a subscription is refused. As long as it settles with one nothing was written. */
async function open(
  { params, query, headers }: FastifyRequest<Site>,
  reply: FastifyReply,
  { reception, subscriptions }: EventsOptions,
  comments: Comments<Stream>,
): Promise<BellwireError | undefined> {
  const site = parseSite(params.site);
  const asked = parseEventsRequest(query, headers);
  const returned = parseId(asked.lastEventId);
  const wire = new EventWire(reply.raw, (error) => {
    // Later: whoever ended it is still at it.
    setImmediate(() => void (connection.closed || connection.bye(error)));
  });
  const caller = { id: wire.id, auth: { token: asked.token }, headers };
  const { arrival, admitted } = await reception.admit(site, caller, "visit");
  const { permit, ticket } = admitted;
  if (permit.guest === true && asked.items.length === 0) {
    throw new BellwireError("bad-request", "Say in ?subscribe= what to hear: only a connection token brings subscriptions of its own");
  }
  const connection: Connection = new Connection(wire, permit, arrival, reception);
  connection.held = new HeldSubscriptions(heldSince(returned));
  let begun = false;
  let silence = (): void => undefined;
  reply.raw.once("close", () => {
    silence();
    if (begun) reception.gone(connection, wire.reason);
    else subscriptions.endAll(connection);
  });
  const items = itemsOf(asked, returned);
  let refused: BellwireError | undefined;
  const begin = ({ results }: { results: SubscribeResult[] }): void => {
    const wrong = results.find((result) => "error" in result);
    if (wrong !== undefined) {
      refused = fromWire(wrong.error);
      return subscriptions.endAll(connection);
    }
    begun = true;
    silence = comments.add({ wire, connection });
    reply.hijack();
    reply.raw.cork(); // the head, hello and what was missed: one write
    const made = (results as Subscribed[]).map((result, i) => ({ topic: items[i]?.topic as string, result }));
    const beginnings = beginningsOf(made);
    wire.begin(reply.getHeaders() as OutgoingHttpHeaders, startsOf(beginnings, items));
    reception.open(connection, ticket);
    const spread = Math.max(0, ...made.map(({ result }) => result.spread ?? 0));
    connection.wrote(wire.answer(beginnings, spread));
    reply.raw.uncork();
  };
  await subscriptions.subscribe(connection, items, begin, true);
  refused ??= wire.refusal;
  // Whoever asked has gone meanwhile: there is nobody to answer.
  if (!begun && refused === undefined) reply.hijack();
  return refused;
}

/** What a `subscribe` of these would hold. The id knows better than the request, which is the one of the first time. */
function itemsOf({ items, token }: EventsRequest, returned: Returned | undefined): Item[] {
  const credential = isFor(SUBSCRIBE_AUDIENCE, token) ? { token } : {};
  return items.map(({ topic, filter, since, replay }, i) => {
    const from = returned === undefined ? since : (returned.positionOf(topic as string) ?? null);
    return { id: String(i), topic, filter, replay, ...credential, ...(from === undefined ? {} : { since: from }) };
  });
}

/** Where a client is before it is told anything: where it comes from, or at the beginning of what it now has for the first time. */
function startsOf(beginnings: readonly Beginning[], items: readonly Item[]): TopicPosition[] {
  return beginnings.flatMap(({ topic, position, resync }) => {
    if (position === undefined || resync) return [];
    const sinces = new Set(items.filter((item) => item.topic === topic).map(({ since }) => JSON.stringify(since)));
    const [since] = sinces;
    // Where several come from different places, nothing can be said before all is told.
    if (sinces.size > 1) return [];
    return [{ topic, ...(since === undefined ? position : parsePosition(JSON.parse(since))) }];
  });
}

/** Whoever comes back with an id that does not know of a subscription has missed nobody knows what. */
function heldSince(returned: Returned | undefined): HeldSince | undefined {
  if (returned === undefined) return undefined;
  const asked = new Set<string>();
  return (topic, { canonical }) => {
    const name = topic + canonical;
    if (asked.has(name)) return undefined;
    asked.add(name);
    const position = returned.held(topic, canonical) ? returned.positionOf(topic) : undefined;
    return position === undefined ? { unknown: true } : { position };
  };
}

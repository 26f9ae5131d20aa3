import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { BellwireError, parseFilter, parseSite, parseTopic, type ParsedFilter, type PresenceUser } from "@bellwire/protocol";
import type { TopicLog } from "../stores/log.js";
import { stringifyRaw } from "../wire/raw-json.js";
import type { ApiKeys } from "./api-keys.js";
import { requireKnown } from "./known-fields.js";
import { historyOf, parseLimit, parseSince, type History, type HistoryQuery } from "./history.js";

/** Who is present on a topic: each user once; anonymous visitors only count. */
export interface Presence {
  readonly users: readonly PresenceUser[];
  readonly count: number;
  /** There are more users than are listed. */
  readonly incomplete?: true;
}

export interface Reads {
  readonly keys: ApiKeys;
  readonly log: TopicLog;
  /** Who is present, on all relays. Rejects with a BellwireError. Undefined: this relay can't tell. */
  readonly presence?: ((site: string, topic: string) => Promise<Presence>) | undefined;
  /** Does anybody watch it, on any relay? In doubt yes. Rejects with a BellwireError. Undefined: this relay can't tell. */
  readonly watched?: ((site: string, topic: string, filter: ParsedFilter) => Promise<boolean>) | undefined;
}

type Site = { Params: { site: string }; Querystring: Record<string, string | readonly string[] | undefined> };
type OfTopic = Site & { Params: { topic: string } };

/** What backends can ask about topics, under `/v1`. */
export function registerReads(app: FastifyInstance, { keys, log, presence, watched }: Reads): void {
  const onRequest = async ({ headers, params }: FastifyRequest<Site>): Promise<void> => keys.check(headers.authorization, params.site);

  app.get<OfTopic>("/v1/sites/:site/topics/:topic/history", { onRequest }, async ({ params, query }, reply) => {
    uncached(reply);
    requireKnown(query, ["since", "limit", "filter"], "the query");
    const since = parseSince(one(query, "since"));
    const asked = { since, limit: parseLimit(one(query, "limit")), filter: parseFilterText(one(query, "filter")) };
    const history = await readHistory(log, parseSite(params.site), parseTopic(params.topic), asked);
    return reply.type("application/json; charset=utf-8").send(stringifyRaw(history));
  });

  app.get<OfTopic>("/v1/sites/:site/topics/:topic/presence", { onRequest }, async ({ params }, reply): Promise<Presence> => {
    uncached(reply);
    const [site, topic] = [parseSite(params.site), parseTopic(params.topic)];
    if (presence === undefined) throw new BellwireError("unsupported", "This relay keeps no presence");
    return presence(site, topic);
  });

  app.get<Site>("/v1/sites/:site/watched", { onRequest }, async ({ params, query }, reply): Promise<{ watched: boolean }> => {
    uncached(reply);
    requireKnown(query, ["topic", "filter"], "the query");
    const [site, topic] = [parseSite(params.site), parseTopic(one(query, "topic"))];
    const filter = parseFilterText(one(query, "filter"));
    if (watched === undefined) throw new BellwireError("unsupported", "This relay can't tell who watches");
    return { watched: await watched(site, topic, filter) };
  });
}

async function readHistory(log: TopicLog, site: string, topic: string, query: HistoryQuery): Promise<History> {
  const { since, limit, filter } = query;
  // Where everything matches, no more is read than is shown; what turns out not to be a message makes room for others.
  const most = filter.keys.length === 0 ? limit : undefined;
  const tail = await log.read(site, topic, since, most);
  const history = historyOf(tail, query);
  const short = most !== undefined && tail.entries.length >= most && history.messages.length < most;
  return short ? historyOf(await log.read(site, topic, since), query) : history;
}

function uncached(reply: FastifyReply): void {
  reply.header("cache-control", "no-store");
}

/** A parameter of the query. @throws BellwireError `bad-request` where it is there twice */
function one(query: Site["Querystring"], name: string): string | undefined {
  const value = query[name];
  if (value === undefined || typeof value === "string") return value;
  throw new BellwireError("bad-request", `${name} is there more than once`);
}

/** Reads a filter as JSON text; absent: everything. @throws BellwireError `bad-request` */
function parseFilterText(text: string | undefined): ParsedFilter {
  if (text === undefined) return parseFilter(undefined);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BellwireError(
      "bad-request",
      'filter is JSON: an object such as {"id":5}, encoded for a URL; leave it out to mean everything',
    );
  }
  return parseFilter(value);
}

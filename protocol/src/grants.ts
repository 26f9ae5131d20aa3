import { BellwireError } from "./codes.js";
import { filterMatches, parseFilter, type Filter, type ParsedFilter, type Scalar } from "./filter.js";
import { asObject, type JsonObject } from "./json.js";
import { limits } from "./limits.js";
import { isTopicPattern, topicMatches } from "./names.js";

/** What may be subscribed, as it stands in a token. `topic` may end in `*`; `filter` absent or `{}` allows every filter. */
export interface Grant {
  readonly topic: string;
  readonly filter?: Filter;
  /** Whether it may be published to as well, with data that the filter matches; where the topic takes publishes of clients. */
  readonly publish?: boolean;
}

export interface ParsedGrant {
  readonly topic: string;
  readonly filter: ParsedFilter;
  readonly publish?: true;
}

/** Reads a list of grants. @throws BellwireError `bad-request`; callers translate to their own code. */
export function parseGrants(value: unknown): ParsedGrant[] {
  if (!Array.isArray(value)) throw new BellwireError("bad-request", "grants is a list of {topic, filter}");
  if (value.length > limits.grants) throw new BellwireError("bad-request", `At most ${limits.grants} grants`);
  return value.map(parseGrant);
}

export function parseGrant(value: unknown): ParsedGrant {
  const source = asObject(value);
  if (source === undefined || !isTopicPattern(source.topic)) {
    throw new BellwireError("bad-request", "A grant is {topic, filter}: a topic name, or a prefix that ends in *");
  }
  const { topic, publish } = source;
  if (publish !== undefined && publish !== null && typeof publish !== "boolean") {
    throw new BellwireError("bad-request", "publish in a grant is true or false");
  }
  return { topic, filter: parseFilter(source.filter), ...(publish === true ? { publish } : {}) };
}

/**
 * Does this one grant cover the request? Its topic matches, and the request pins every key of the grant's
 * filter, each requested value among the allowed ones. Requests may pin further keys: that only narrows.
 */
export function grantCovers(grant: ParsedGrant, topic: string, filter: ParsedFilter): boolean {
  if (!topicMatches(grant.topic, topic)) return false;
  return grant.filter.keys.every((key, i) => {
    const at = filter.keys.indexOf(key);
    if (at < 0) return false;
    const allowed = grant.filter.values[i] as readonly Scalar[];
    return (filter.values[at] as readonly Scalar[]).every((value) => allowed.includes(value));
  });
}

/** Does this one grant allow to publish this? Its topic matches, it says so, and its filter matches the data. */
export function grantPublishes(grant: ParsedGrant, topic: string, data: JsonObject): boolean {
  return grant.publish === true && topicMatches(grant.topic, topic) && filterMatches(grant.filter, data);
}

/** A request is covered when one single grant covers it. */
export function grantsCover(grants: readonly ParsedGrant[], topic: string, filter: ParsedFilter): boolean {
  return grants.some((grant) => grantCovers(grant, topic, filter));
}

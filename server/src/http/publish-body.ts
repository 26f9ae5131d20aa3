import { asObject, BellwireError, parseTopic } from "@bellwire/protocol";
import {
  encodeData,
  makePublication,
  parseAddressee,
  parseExcept,
  parseIdempotencyKey,
  personalTopic,
  type PersonalKind,
  type Publication,
} from "@bellwire/emitter/publication";
import { requireKnown } from "./known-fields.js";

/** One topic of one message, `$user` or `$session` for a personal one: what to append, or what is wrong with it. */
export type ParsedItem =
  { readonly topic: string; readonly publication: Publication } | { readonly topic: string; readonly error: BellwireError };

export const PUBLISH_LIMITS = { messages: 1000, topics: 100 } as const;

const ADDRESSES = ["topic", "topics", "user", "session"] as const;
const FIELDS: readonly string[] = [...ADDRESSES, "data", "idempotencyKey", "except"];
const EXCEPT_FIELDS: readonly string[] = ["user", "session", "client"];

/**
 * Reads the body of a publish: one message, or `{messages: [...]}`; an item for each topic of each message, in order. Items of
 * a list are wrong each for itself.
 * @throws BellwireError `bad-request`, or whatever is wrong with a lone message
 */
export function parsePublishBody(body: unknown, site: string, maxDataBytes: number): ParsedItem[] {
  const source = asObject(body);
  if (source === undefined) throw bad("The body is a JSON object: {topic, data} or {messages: [...]}");
  requireKnown(source, [...FIELDS, "messages"], "a publish");
  if (source.messages === undefined || source.messages === null) return parseMessage(source, site, maxDataBytes);
  const beside = FIELDS.find((name) => source[name] !== undefined && source[name] !== null);
  if (beside !== undefined) throw bad(`${beside} belongs into each of the messages, not beside them`);
  if (!Array.isArray(source.messages) || source.messages.length === 0) throw bad("messages is a list with at least one message");
  if (source.messages.length > PUBLISH_LIMITS.messages) throw bad(`At most ${PUBLISH_LIMITS.messages} messages in one request`);
  return source.messages.flatMap((item) => {
    try {
      return parseMessage(parseItem(item), site, maxDataBytes);
    } catch (error) {
      return topicsNamed(item).map((topic) => ({ topic, error: error as BellwireError }));
    }
  });
}

function parseItem(item: unknown): Record<string, unknown> {
  const source = asObject(item);
  if (source === undefined) throw bad("A message is an object: {topic, data}");
  requireKnown(source, FIELDS, "a message");
  return source;
}

function parseMessage(source: Record<string, unknown>, site: string, maxDataBytes: number): ParsedItem[] {
  const topics = parseAddress(source);
  const data = encodeData(source.data ?? {}, maxDataBytes);
  const idempotencyKey = parseIdempotencyKey(source.idempotencyKey);
  const except = parseExcept(checkedExcept(source.except));
  const publish = (topic: string): Publication => makePublication({ site, topic, data, idempotencyKey, except });
  return topics.map((named) => ("error" in named ? named : { topic: named.topic, publication: publish(named.log) }));
}

/** A topic as results name it, and the one whose log it is. */
type Named = { readonly topic: string; readonly log: string } | { readonly topic: string; readonly error: BellwireError };

/** Where a message goes; of a list of topics, those that can't be used with what is wrong. */
function parseAddress(source: Record<string, unknown>): Named[] {
  const given = ADDRESSES.filter((name) => source[name] !== undefined && source[name] !== null);
  const [name] = given;
  if (name === undefined || given.length > 1) throw bad("Name one of topic, topics, user and session");
  if (name === "topics") return parseTopics(source.topics);
  if (name !== "topic") return [parsePersonal(name, source[name])];
  const topic = parseTopic(source.topic);
  return [{ topic, log: topic }];
}

function parsePersonal(kind: PersonalKind, value: unknown): Named {
  return { topic: `$${kind}`, log: personalTopic(kind, parseAddressee(kind, value).id) };
}

function parseTopics(topics: unknown): Named[] {
  if (!Array.isArray(topics) || topics.length === 0) throw bad("topics is a list with at least one name");
  if (topics.length > PUBLISH_LIMITS.topics) throw bad(`At most ${PUBLISH_LIMITS.topics} topics for one message`);
  return [...new Set<unknown>(topics)].map((name) => {
    try {
      const topic = parseTopic(name);
      return { topic, log: topic };
    } catch (error) {
      return { topic: shownTopic(name), error: error as BellwireError };
    }
  });
}

function checkedExcept(value: unknown): unknown {
  const source = asObject(value);
  if (source !== undefined) requireKnown(source, EXCEPT_FIELDS, "except");
  return value;
}

function topicsNamed(item: unknown): string[] {
  const source = asObject(item);
  const personal = (["user", "session"] as const).filter((kind) => typeof source?.[kind] === "string").map((kind) => `$${kind}`);
  const names: unknown[] = Array.isArray(source?.topics) ? source.topics : [source?.topic ?? personal[0]];
  return names.map(shownTopic).slice(0, PUBLISH_LIMITS.topics);
}

function shownTopic(name: unknown): string {
  return typeof name === "string" ? name.slice(0, 128) : "";
}

function bad(message: string): BellwireError {
  return new BellwireError("bad-request", message);
}

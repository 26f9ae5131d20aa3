import { randomUUID } from "node:crypto";
import { asObject, BellwireError, parseTopic } from "@bellwire/protocol";
import { encodeData, parseExcept, parseIdempotencyKey, type Publication } from "@bellwire/emitter/internal";

/** One message of a publish: its publications, or what is wrong with it. */
export type ParsedMessage =
  | { readonly topics: readonly string[]; readonly publications: readonly Publication[] }
  | { readonly topics: readonly string[]; readonly error: BellwireError };

export const PUBLISH_LIMITS = { messages: 1000, topics: 100 } as const;

/**
 * Reads the body of a publish: one message, or `{messages: [...]}`. A list's items are wrong each for itself.
 * @throws BellwireError `bad-request`, or whatever is wrong with a lone message
 */
export function parsePublishBody(body: unknown, site: string, maxDataBytes: number): ParsedMessage[] {
  const source = asObject(body);
  if (source === undefined) throw bad("The body is a JSON object: {topic, data} or {messages: [...]}");
  if (source.messages === undefined) return [parseMessage(source, site, maxDataBytes)];
  if (!Array.isArray(source.messages) || source.messages.length === 0) throw bad("messages is a list with at least one message");
  if (source.messages.length > PUBLISH_LIMITS.messages) throw bad(`At most ${PUBLISH_LIMITS.messages} messages in one request`);
  return source.messages.map((item) => {
    try {
      return parseMessage(asObject(item), site, maxDataBytes);
    } catch (error) {
      return { topics: topicsNamed(item), error: error as BellwireError };
    }
  });
}

function parseMessage(source: Record<string, unknown> | undefined, site: string, maxDataBytes: number): ParsedMessage {
  if (source === undefined) throw bad("A message is an object: {topic, data}");
  const topics = parseTopics(source);
  const data = encodeData(source.data ?? {}, maxDataBytes);
  const given = parseIdempotencyKey(source.idempotencyKey);
  const id = given ?? randomUUID();
  const except = parseExcept(knownExcept(source.except));
  const common = {
    site,
    data,
    id,
    idempotent: given !== undefined,
    retry: false,
    ...(except === undefined ? {} : { except }),
  };
  return { topics, publications: topics.map((topic) => ({ ...common, topic })) };
}

function parseTopics({ topic, topics, user, session }: Record<string, unknown>): string[] {
  if ((topic === undefined) === (topics === undefined)) {
    if (user !== undefined || session !== undefined)
      throw new BellwireError("unsupported", "This relay does not publish to users and sessions yet");
    throw bad("Name one topic, or a list of topics");
  }
  if (topics === undefined) return [parseTopic(topic)];
  if (!Array.isArray(topics) || topics.length === 0) throw bad("topics is a list with at least one name");
  if (topics.length > PUBLISH_LIMITS.topics) throw bad(`At most ${PUBLISH_LIMITS.topics} topics for one message`);
  return [...new Set(topics.map(parseTopic))];
}

/** Fields of `except` that the contract does not know are ignored, as everywhere in a request. */
function knownExcept(value: unknown): unknown {
  const source = asObject(value);
  return source === undefined ? value : { user: source.user, session: source.session, client: source.client };
}

function topicsNamed(item: unknown): string[] {
  const source = asObject(item);
  const names = Array.isArray(source?.topics) ? source.topics : [source?.topic];
  return names.map((name) => (typeof name === "string" ? name.slice(0, 128) : "")).slice(0, PUBLISH_LIMITS.topics);
}

function bad(message: string): BellwireError {
  return new BellwireError("bad-request", message);
}

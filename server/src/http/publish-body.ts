import { randomUUID } from "node:crypto";
import { asObject, BellwireError, isWellFormed, limits, parseTopic } from "@bellwire/protocol";
import type { Except, Publication } from "@bellwire/emitter/internal";

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
  const data = parseData(source.data, maxDataBytes);
  const given = parseKey("idempotencyKey", source.idempotencyKey);
  const id = given ?? randomUUID();
  const except = parseExcept(source.except);
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

/** The data's JSON text. @throws BellwireError `bad-request` or `too-large` */
export function parseData(value: unknown, maxBytes: number): string {
  const data = asObject(value ?? {});
  if (data === undefined) throw bad("data is a JSON object");
  const text = Array.isArray(data) ? "{}" : JSON.stringify(data);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes)
    throw new BellwireError("too-large", `data is ${bytes} bytes; at most ${maxBytes}: publish ids, and let the page fetch the rest`);
  return text;
}

function parseKey(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string" || value.length === 0 || value.length > limits.keyLength || !isWellFormed(value) || value.includes("\n")) {
    throw bad(`${name} is a string of 1 to ${limits.keyLength} characters, in one line`);
  }
  return value;
}

function parseExcept(value: unknown): Except | undefined {
  if (value === undefined || value === null) return undefined;
  const source = asObject(value);
  if (source === undefined) throw bad("except is {user?, session?, client?}");
  const user = parseKey("except.user", source.user);
  const session = parseKey("except.session", source.session);
  const client = parseKey("except.client", source.client);
  if (user === undefined && session === undefined && client === undefined) return undefined;
  return {
    ...(user === undefined ? {} : { user }),
    ...(session === undefined ? {} : { session }),
    ...(client === undefined ? {} : { client }),
  };
}

function topicsNamed(item: unknown): string[] {
  const source = asObject(item);
  const names = Array.isArray(source?.topics) ? source.topics : [source?.topic];
  return names.map((name) => (typeof name === "string" ? name.slice(0, 128) : "")).slice(0, PUBLISH_LIMITS.topics);
}

function bad(message: string): BellwireError {
  return new BellwireError("bad-request", message);
}

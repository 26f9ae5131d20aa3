import { BellwireError } from "./codes.js";

const SITE = /^[A-Za-z0-9_-]{1,64}$/;
const TOPIC = /^[A-Za-z0-9_.:$-]{1,128}$/;
const PATTERN = /^[A-Za-z0-9_.:$-]{0,127}\*$/;

/** The Socket.IO namespace prefix of sites. */
export const SITE_NAMESPACE = "/site/";

export function isSite(value: unknown): value is string {
  return typeof value === "string" && SITE.test(value);
}

/** True for any well-formed topic name, also a reserved one. */
export function isTopic(value: unknown): value is string {
  return typeof value === "string" && TOPIC.test(value);
}

/** Names that begin with `$` belong to relays and the server API. */
export function isReservedTopic(topic: string): boolean {
  return topic.startsWith("$");
}

/** True for a topic name or a prefix that ends in `*`, as grants use them. */
export function isTopicPattern(value: unknown): value is string {
  return isTopic(value) || (typeof value === "string" && PATTERN.test(value));
}

/** Does a topic, or a pattern that ends in `*`, cover this name? A wildcard never covers a reserved name. */
export function topicMatches(pattern: string, topic: string): boolean {
  if (!pattern.endsWith("*")) return pattern === topic;
  return !isReservedTopic(topic) && topic.startsWith(pattern.slice(0, -1));
}

export function parseSite(value: unknown): string {
  if (isSite(value)) return value;
  throw new BellwireError("bad-request", "A site is 1 to 64 characters of A-Z a-z 0-9 _ -");
}

/**
 * Reads a topic name that somebody outside chose.
 * @throws BellwireError `bad-request` for a malformed name, `forbidden` for a reserved one.
 */
export function parseTopic(value: unknown): string {
  if (!isTopic(value)) throw new BellwireError("bad-request", "A topic is 1 to 128 characters of A-Z a-z 0-9 _ . : $ -");
  if (isReservedTopic(value)) throw new BellwireError("forbidden", "Topics that begin with $ belong to the server");
  return value;
}

/** The namespace of a site, e.g. `/site/5`. */
export function siteNamespace(site: string): string {
  return SITE_NAMESPACE + site;
}

/** The site of a namespace, or undefined when it is none. */
export function siteOfNamespace(namespace: string): string | undefined {
  if (!namespace.startsWith(SITE_NAMESPACE)) return undefined;
  const site = namespace.slice(SITE_NAMESPACE.length);
  return isSite(site) ? site : undefined;
}

import type { Client } from "../api.js";
import { invalidateOn as invalidate, type InvalidateOptions, type TopicKeys } from "../refetch/invalidate-on.js";
import type { Topics } from "../topics.js";

type Key = string | readonly unknown[];

/** SWR 2's `mutate`, the global one or that of `useSWRConfig()`. */
export type Mutate = (matcher: (key: unknown) => boolean) => Promise<unknown>;

/**
 * Revalidates what a topic's messages and resyncs map to: a key, or the beginning of keys that are arrays.
 * One fetch at a time for each, and none while the page is hidden.
 *
 * @example
 * const stop = revalidateOn(client, mutate, { Contact_Updated_Topic: ({ data }) => ["contact", data.id] });
 */
export function revalidateOn<T = Topics>(
  client: Client<T>,
  mutate: Mutate,
  topics: TopicKeys<T, Key>,
  options?: InvalidateOptions,
): () => void {
  return invalidate<T, Key>(client, topics, { refetch: (key) => mutate(matcherOf(key)) }, options);
}

function matcherOf(key: Key): (other: unknown) => boolean {
  if (typeof key === "string") return (other) => other === key;
  const beginning = JSON.stringify(key);
  return (other) => Array.isArray(other) && JSON.stringify(other.slice(0, key.length)) === beginning;
}

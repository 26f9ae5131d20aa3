import type { Filter, Position } from "@bellwire/protocol";
import type { Client, Message, Resync } from "../api.js";
import type { DataOf, FilterOf, SinglesOf, TopicName } from "../topics.js";
import type { Focus } from "./focus.js";
import { createRefetch } from "./refetch.js";

/**
 * Says which cached answers a message makes stale. After a resync only the filter's single values are known: what the key reads beyond
 * them is undefined there, and the key is cut off before it, so that `["contact", data.id]` becomes `["contact"]` and stands for all.
 */
export type KeyOf<T, Name extends string, Key> = (
  event: Message<DataOf<T, Name>> | Resync<SinglesOf<T, Name>>,
) => Key | readonly (unknown | undefined)[] | null | undefined;

/** A topic's key, or with a filter through which it is watched; or several of these. */
export type KeysOf<T, Name extends string, Key> = One<T, Name, Key> | readonly One<T, Name, Key>[];

type One<T, Name extends string, Key> = KeyOf<T, Name, Key> | { readonly filter?: FilterOf<T, Name>; readonly key: KeyOf<T, Name, Key> };

export type TopicKeys<T, Key> = { readonly [Name in TopicName<T>]?: KeysOf<T, Name, Key> };

export interface InvalidateOptions {
  /** Where the logs stood before the page's data was read, as the backend's `positions` told. */
  readonly positions?: readonly (Position & { readonly topic: string })[];
  /** Whether somebody looks, e.g. TanStack Query's `focusManager` where it is not the page's visibility. While nobody does nothing is fetched. */
  readonly focus?: Focus;
}

/** What a cache does for its binding. */
export interface Cache<Key> {
  /** Marks without fetching. */
  stale?(key: Key): void;
  /** Fetches what is looked at; settles when that is done. */
  refetch(key: Key): unknown;
}

/** For so many keys it is known that a fetch is under way. */
const MOST_KEYS = 1000;

/** Subscribes to all the topics and makes stale what their messages name. Returns a function that ends it. */
export function invalidateOn<T, Key>(
  client: Client<T>,
  topics: TopicKeys<T, Key>,
  cache: Cache<Key>,
  options: InvalidateOptions = {},
): () => void {
  const refetches = new Map<string, () => void>();
  const invalidate = (given: unknown): void => {
    const key = (Array.isArray(given) && given.includes(undefined) ? given.slice(0, given.indexOf(undefined)) : given) as
      Key | null | undefined;
    if (key === null || key === undefined) return;
    cache.stale?.(key);
    const name = JSON.stringify(key);
    const refetch = refetches.get(name) ?? createRefetch(() => cache.refetch(key), options.focus);
    if (refetches.size > MOST_KEYS) refetches.clear();
    refetches.set(name, refetch);
    refetch();
  };
  const own = client as unknown as Client<object>;
  const handles = Object.entries<unknown>(topics).flatMap(([topic, given]) =>
    [given].flat().map((one) => {
      const { filter, key } = (typeof one === "function" ? { key: one } : one) as {
        filter?: Filter;
        key: (event: Message | Resync) => unknown;
      };
      const since = options.positions?.find((position) => position.topic === topic);
      const pinned = Object.entries(filter ?? {}).filter(([, value]) => !Array.isArray(value));
      const all = { resync: true, topic, data: Object.fromEntries(pinned) } as Resync;
      // One message from before may be the last of several: since when the page was loaded, more than its own key may be stale.
      return own.subscribe(topic, filter, (event) => invalidate(key(!event.resync && event.replay && !since ? all : event)), {
        replay: "page",
        since,
      });
    }),
  );
  return () => handles.forEach((handle) => handle.unsubscribe());
}

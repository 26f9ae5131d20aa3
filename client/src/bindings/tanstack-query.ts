import type { Client } from "../api.js";
import { invalidateOn as invalidate, type InvalidateOptions, type TopicKeys } from "../refetch/invalidate-on.js";
import type { Topics } from "../topics.js";

type Filters = { readonly queryKey: readonly unknown[]; readonly refetchType?: "none"; readonly predicate?: (query: Query) => boolean };

interface Query {
  readonly queryHash: string;
}

/** What is used of TanStack Query 5's client, whichever framework's package it comes from. */
export interface QueryClientLike {
  invalidateQueries(filters: Filters, options?: { readonly cancelRefetch: boolean }): Promise<void>;
  getQueryCache(): { findAll(filters: { readonly queryKey: readonly unknown[]; readonly fetchStatus: "fetching" }): readonly Query[] };
}

/**
 * Makes stale what a topic's messages and resyncs map to. What is shown is fetched again: one fetch at a time for each key, none while
 * the page is hidden, and once more where one was under way whose answer may be from before.
 *
 * @example
 * const stop = invalidateOn(client, queryClient, { Contact_Updated_Topic: ({ data }) => ["contact", data.id] });
 */
export function invalidateOn<T = Topics>(
  client: Client<T>,
  queries: QueryClientLike,
  topics: TopicKeys<T, readonly unknown[]>,
  options?: InvalidateOptions,
): () => void {
  const cancelRefetch = false;
  return invalidate<T, readonly unknown[]>(
    client,
    topics,
    {
      stale: (queryKey) => void queries.invalidateQueries({ queryKey, refetchType: "none" }),
      async refetch(queryKey) {
        const begun = new Set(
          queries
            .getQueryCache()
            .findAll({ queryKey, fetchStatus: "fetching" })
            .map(({ queryHash }) => queryHash),
        );
        await queries.invalidateQueries({ queryKey }, { cancelRefetch });
        if (begun.size > 0)
          await queries.invalidateQueries({ queryKey, predicate: ({ queryHash }) => begun.has(queryHash) }, { cancelRefetch });
      },
    },
    options,
  );
}

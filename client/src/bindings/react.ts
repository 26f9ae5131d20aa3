"use client";

import {
  createContext,
  createElement,
  useCallback,
  useContext,
  useInsertionEffect,
  useMemo,
  useRef,
  useSyncExternalStore,
  type Context,
  type ReactElement,
  type ReactNode,
} from "react";
import type { CallbackOf, Client, State } from "../api.js";
import { getDefaultClient } from "../default-client.js";
import type { PendingFilterOf, PublishDataOf, TopicName, Topics } from "../topics.js";
import {
  createPresenceWatch,
  createStateWatch,
  createWatch,
  missingClient,
  watchKey,
  type NoTopic,
  type Presence,
  type Store,
  type WatchedOf,
  type WatchOptions,
} from "../watch/index.js";

const BellwireContext: Context<Client | undefined> = createContext<Client | undefined>(undefined);

/** Names the client of the components below it. Without one they use the default client, e.g. the script tag's. */
// oxlint-disable-next-line typescript/no-explicit-any
export function BellwireProvider(props: { readonly client: Client<any>; readonly children?: ReactNode }): ReactElement {
  return createElement(BellwireContext.Provider, { value: props.client as Client }, props.children);
}

/** The client of this component, if there is one. */
export function useBellwire(): Client | undefined {
  return useContext(BellwireContext) ?? getDefaultClient();
}

/**
 * Subscribes while the component is mounted. Filter and options may be written inline: they are compared by what they mean; the
 * callback is always the latest one. A topic that is null, undefined or false subscribes nothing, nor does `enabled: false`, nor a
 * filter before all its values are there: `{ id: undefined }` waits. What can't be is an `error`. Fields that nobody reads render nothing.
 */
export function useSubscription<Name extends TopicName<T>, T = Topics>(
  topic: Name | NoTopic,
  filter?: PendingFilterOf<T, Name> | null,
  callback?: CallbackOf<T, Name>,
  options?: WatchOptions,
): WatchedOf<T, Name> {
  const client = useBellwire() as unknown as Client<T> | undefined;
  const latest = useRef(callback);
  useInsertionEffect(() => {
    latest.current = callback;
  });
  const own: CallbackOf<T, Name> = (event) => latest.current?.(event);
  const watch = useMemo(() => createWatch<Name, T>(client, topic, filter, own, options), [client, topic, watchKey(filter, options)]);
  return useStore(watch);
}

/** Who watches a topic, kept up to date. Takes part in it, too: the topic is subscribed meanwhile, through the filter. */
export function usePresence<Name extends TopicName<T>, T = Topics>(
  topic: Name | NoTopic,
  filter?: PendingFilterOf<T, Name> | null,
): Presence {
  const client = useBellwire() as unknown as Client<T> | undefined;
  return useStore(useMemo(() => createPresenceWatch<Name, T>(client, topic, filter), [client, topic, watchKey(filter)]));
}

/** The client's `rpc`. */
export function useRpc(): Client["rpc"] {
  return useBellwire()?.rpc ?? missingClient;
}

/** The client's `publish`, to one topic. The function stays the same. */
export function usePublish<Name extends TopicName<T>, T = Topics>(
  topic: Name,
): (data: PublishDataOf<T, Name>) => ReturnType<Client["publish"]> {
  const publish = (useBellwire() as unknown as Client<T> | undefined)?.publish ?? missingClient;
  return useCallback((data) => publish(topic, data), [publish, topic]);
}

/** The client's state, e.g. to show that the page is offline. `idle` where there is no client, and on the server. */
export function useConnectionState(): State {
  const client = useBellwire();
  const store = useMemo(() => createStateWatch(client), [client]);
  const state = (): State => store.current;
  return useSyncExternalStore(store.subscribe, state, () => "idle");
}

/** The hooks for topics that are typed by a type parameter instead of `Topics`: `const { useSubscription } = createHooks<MyTopics>()`. */
export function createHooks<T>(): Hooks<T> {
  return { useSubscription, usePresence, usePublish } as unknown as Hooks<T>;
}

export interface Hooks<T> {
  readonly useSubscription: <Name extends TopicName<T>>(...args: Parameters<typeof useSubscription<Name, T>>) => WatchedOf<T, Name>;
  readonly usePresence: <Name extends TopicName<T>>(...args: Parameters<typeof usePresence<Name, T>>) => Presence;
  readonly usePublish: <Name extends TopicName<T>>(topic: Name) => ReturnType<typeof usePublish<Name, T>>;
}

function useStore<Value>(store: Store<Value>): Value {
  const current = (): Value => store.current;
  return useSyncExternalStore(store.subscribe, current, current);
}

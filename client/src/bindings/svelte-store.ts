import type { CallbackOf, Client, State } from "../api.js";
import type { PendingFilterOf, TopicName, Topics } from "../topics.js";
import * as core from "../watch/index.js";
import { getBellwire } from "./svelte-context.js";

export { getBellwire, setBellwire } from "./svelte-context.js";

/** A store as Svelte 3 to 5 read it: `$contact.last`. */
export interface Readable<Value> {
  subscribe(run: (value: Value) => void): () => void;
}

/** Subscribes while somebody is subscribed to the store. For another topic or filter make another store: `$: contact = subscription(...)`. */
export function subscription<Name extends TopicName<T>, T = Topics>(
  topic: Name | core.NoTopic,
  filter?: PendingFilterOf<T, Name> | null,
  callback?: CallbackOf<T, Name>,
  options?: core.WatchOptions,
  client: Client<T> | undefined = getBellwire<T>(),
): Readable<core.WatchedOf<T, Name>> {
  return readable(core.createWatch<Name, T>(client, topic, filter, callback, options));
}

/** Who watches a topic, kept up to date. Takes part in it, too: the topic is subscribed meanwhile, through the filter. */
export function presence<Name extends TopicName<T>, T = Topics>(
  topic: Name | core.NoTopic,
  filter?: PendingFilterOf<T, Name> | null,
  client: Client<T> | undefined = getBellwire<T>(),
): Readable<core.Presence> {
  return readable(core.createPresenceWatch<Name, T>(client, topic, filter));
}

export function connectionState(client: Client | undefined = getBellwire()): Readable<State> {
  return readable(core.createStateWatch(client));
}

function readable<Value>(store: core.Store<Value>): Readable<Value> {
  return {
    subscribe(run) {
      run(store.current);
      // Nothing on a server.
      return typeof document === "undefined" ? () => {} : store.subscribe(() => run(store.current));
    },
  };
}

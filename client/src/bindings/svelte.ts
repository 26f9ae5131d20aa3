import { createSubscriber } from "svelte/reactivity";
import type { CallbackOf, State } from "../api.js";
import type { PendingFilterOf, TopicName, Topics } from "../topics.js";
import * as core from "../watch/index.js";
import { getBellwire } from "./svelte-context.js";

export { getBellwire, setBellwire } from "./svelte-context.js";

export interface Current<Value> {
  readonly current: Value;
}

/**
 * Subscribes while an effect or a template reads a field of `current`. What may change is given as a function: `() => ({ id })`.
 *
 * @example
 * const contact = subscription("Contact_Updated_Topic", () => ({ id }));
 * $effect(() => void (contact.current.last, contact.current.resync, refetch(id)));
 */
export function subscription<Name extends TopicName<T>, T = Topics>(
  topic: core.MaybeGetter<Name | core.NoTopic>,
  filter?: core.MaybeGetter<PendingFilterOf<T, Name> | null | undefined>,
  callback?: CallbackOf<T, Name>,
  options?: core.MaybeGetter<core.WatchOptions | undefined>,
): Current<core.WatchedOf<T, Name>> {
  const client = getBellwire<T>();
  return reactive(
    core.WATCHED,
    () => core.valueOf(topic) + core.watchKey(core.valueOf(filter), core.valueOf(options)),
    () => core.createWatch<Name, T>(client, core.valueOf(topic), core.valueOf(filter), callback, core.valueOf(options)),
  );
}

/** Who watches a topic, kept up to date. Takes part in it, too: the topic is subscribed meanwhile, through the filter. */
export function presence<Name extends TopicName<T>, T = Topics>(
  topic: core.MaybeGetter<Name | core.NoTopic>,
  filter?: core.MaybeGetter<PendingFilterOf<T, Name> | null | undefined>,
): Current<core.Presence> {
  const client = getBellwire<T>();
  return reactive(
    core.PRESENCE,
    () => core.valueOf(topic) + core.watchKey(core.valueOf(filter)),
    () => core.createPresenceWatch<Name, T>(client, core.valueOf(topic), core.valueOf(filter)),
  );
}

export function connectionState(): Current<State> {
  const store = core.createStateWatch(getBellwire());
  const listen = createSubscriber(store.subscribe);
  return {
    get current() {
      listen();
      return store.current;
    },
  };
}

/** Each field has a subscriber of its own, so that an effect runs again only for what it reads. */
function reactive<Value extends object>(keys: readonly (keyof Value)[], key: () => string, make: () => core.Store<Value>): Current<Value> {
  let known: string | undefined;
  let fields: Value;
  return {
    get current() {
      const now = key();
      if (now === known) return fields;
      known = now;
      const store = make();
      fields = core.fieldsOf(keys, (name) => {
        const field = core.fieldOf(store, name);
        const listen = createSubscriber(field.subscribe);
        return () => {
          listen();
          return field.current;
        };
      });
      return fields;
    },
  };
}

import {
  createComponent,
  createContext,
  createEffect,
  createMemo,
  createSignal,
  onCleanup,
  untrack,
  useContext,
  type Accessor,
  type Context,
  type JSX,
} from "solid-js";
import type { CallbackOf, Client, State } from "../api.js";
import { getDefaultClient } from "../default-client.js";
import type { PendingFilterOf, TopicName, Topics } from "../topics.js";
import * as core from "../watch/index.js";

const BellwireContext: Context<unknown> = createContext<unknown>();

/** Names the client of the components below it. Without one they use the default client, e.g. the script tag's. */
// oxlint-disable-next-line typescript/no-explicit-any
export function BellwireProvider(props: { readonly client: Client<any>; readonly children?: JSX.Element }): JSX.Element {
  return createComponent(BellwireContext.Provider, {
    get value() {
      return props.client;
    },
    get children() {
      return props.children;
    },
  });
}

/** The client of this component, if there is one. */
export function useBellwire<T = Topics>(): Client<T> | undefined {
  return (useContext(BellwireContext) ?? getDefaultClient()) as Client<T> | undefined;
}

/** Subscribes until its owner is disposed of. Read its fields where they are tracked. What may change is given as a function: `() => ({ id: props.id })`. */
export function createSubscription<Name extends TopicName<T>, T = Topics>(
  topic: core.MaybeGetter<Name | core.NoTopic>,
  filter?: core.MaybeGetter<PendingFilterOf<T, Name> | null | undefined>,
  callback?: CallbackOf<T, Name>,
  options?: core.MaybeGetter<core.WatchOptions | undefined>,
): core.WatchedOf<T, Name> {
  const client = useBellwire<T>();
  const watched = fromStore(
    () => core.valueOf(topic) + core.watchKey(core.valueOf(filter), core.valueOf(options)),
    () => core.createWatch<Name, T>(client, core.valueOf(topic), core.valueOf(filter), callback, core.valueOf(options)),
  );
  // An error that nobody reads goes uncaught: no memo may read it for them.
  return core.fieldsOf(core.WATCHED, (key) => (key === "error" ? () => watched().error : createMemo(() => watched()[key])));
}

/** Who watches a topic, kept up to date. Takes part in it, too: the topic is subscribed meanwhile, through the filter. */
export function createPresence<Name extends TopicName<T>, T = Topics>(
  topic: core.MaybeGetter<Name | core.NoTopic>,
  filter?: core.MaybeGetter<PendingFilterOf<T, Name> | null | undefined>,
): core.Presence {
  const client = useBellwire<T>();
  const presence = fromStore(
    () => core.valueOf(topic) + core.watchKey(core.valueOf(filter)),
    () => core.createPresenceWatch<Name, T>(client, core.valueOf(topic), core.valueOf(filter)),
  );
  return core.fieldsOf(core.PRESENCE, (key) => createMemo(() => presence()[key]));
}

export function createConnectionState(): Accessor<State> {
  const client = useBellwire();
  return fromStore(
    () => "",
    () => core.createStateWatch(client),
  );
}

function fromStore<Value>(key: () => string, make: () => core.Store<Value>): Accessor<Value> {
  const [changes, change] = createSignal(0);
  const known = createMemo(key);
  const store = createMemo(() => {
    known();
    return untrack(make);
  });
  createEffect(() => onCleanup(store().subscribe(() => change((count) => count + 1))));
  return () => {
    changes();
    return store().current;
  };
}

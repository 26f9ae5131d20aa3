import {
  computed,
  getCurrentInstance,
  hasInjectionContext,
  inject,
  onActivated,
  onDeactivated,
  shallowRef,
  toValue,
  watch,
  type App,
  type ComputedRef,
  type MaybeRefOrGetter,
  type ShallowRef,
} from "vue";
import type { CallbackOf, Client, State } from "../api.js";
import { getDefaultClient } from "../default-client.js";
import type { PendingFilterOf, PublishDataOf, TopicName, Topics } from "../topics.js";
import * as core from "../watch/index.js";

const KEY = Symbol("bellwire");

/** Names the client of an application: `app.use(bellwire(client))`. Without one its components use the default client. */
export function bellwire<T = Topics>(client: Client<T>): { install(app: App): void } {
  return { install: (app) => void app.provide(KEY, client) };
}

/** The client of this component, if there is one. */
export function useBellwire<T = Topics>(): Client<T> | undefined {
  return (hasInjectionContext() ? inject(KEY, undefined) : undefined) ?? (getDefaultClient() as unknown as Client<T> | undefined);
}

type Refs<Values> = { readonly [Key in keyof Values]: ComputedRef<Values[Key]> };

/** Subscribes until the scope ends, and not while KeepAlive keeps the component aside: what came meanwhile is told when it is back. */
export function useSubscription<Name extends TopicName<T>, T = Topics>(
  topic: MaybeRefOrGetter<Name | core.NoTopic>,
  filter?: MaybeRefOrGetter<PendingFilterOf<T, Name> | null | undefined>,
  callback?: CallbackOf<T, Name>,
  options?: MaybeRefOrGetter<core.WatchOptions | undefined>,
): Refs<core.WatchedOf<T, Name>> {
  const client = useBellwire<T>();
  const shown = useStore(
    () => toValue(topic) + core.watchKey(toValue(filter), toValue(options)),
    () => core.createWatch<Name, T>(client, toValue(topic), toValue(filter), callback, toValue(options)),
  );
  return refs(shown, ["status", "error", "last", "resync"]);
}

/** Who watches a topic, kept up to date. Takes part in it, too: the topic is subscribed meanwhile, through the filter. */
export function usePresence<Name extends TopicName<T>, T = Topics>(
  topic: MaybeRefOrGetter<Name | core.NoTopic>,
  filter?: MaybeRefOrGetter<PendingFilterOf<T, Name> | null | undefined>,
): Refs<core.Presence> {
  const client = useBellwire<T>();
  const shown = useStore(
    () => toValue(topic) + core.watchKey(toValue(filter)),
    () => core.createPresenceWatch<Name, T>(client, toValue(topic), toValue(filter)),
  );
  return refs(shown, ["status", "error", "users", "count"]);
}

export function useConnectionState(): Readonly<ShallowRef<State>> {
  const client = useBellwire();
  return useStore(
    () => "",
    () => core.createStateWatch(client),
  );
}

export function useRpc(): Client["rpc"] {
  return useBellwire()?.rpc ?? core.missingClient;
}

export function usePublish<Name extends TopicName<T>, T = Topics>(
  topic: MaybeRefOrGetter<Name>,
): (data: PublishDataOf<T, Name>) => ReturnType<Client["publish"]> {
  const publish = useBellwire<T>()?.publish ?? core.missingClient;
  return (data) => publish(toValue(topic), data);
}

function useStore<Value>(key: () => string, make: () => core.Store<Value>): ShallowRef<Value> {
  const store = shallowRef(make());
  const shown = shallowRef(store.value.current);
  const show = (): void => void (shown.value = store.value.current);
  // Nothing on a server.
  const isActive = shallowRef(typeof document !== "undefined");
  const change = (): void => {
    store.value = make();
    show();
  };
  watch(key, change, { flush: "sync" });
  const listen = ([store, isActive]: readonly [core.Store<Value>, boolean], _: unknown, onCleanup: (end: () => void) => void): void => {
    if (isActive) onCleanup(store.subscribe(show));
  };
  watch([store, isActive] as const, listen, { immediate: true });
  if (getCurrentInstance() !== null) {
    onActivated(() => (isActive.value = true));
    onDeactivated(() => (isActive.value = false));
  }
  return shown;
}

function refs<Values extends object>(shown: ShallowRef<Values>, keys: readonly (keyof Values)[]): Refs<Values> {
  return Object.fromEntries(keys.map((key) => [key, computed(() => shown.value[key])])) as Refs<Values>;
}

import { parseFilter, type Filter } from "@bellwire/protocol";
import {
  createContext,
  createElement,
  useContext,
  useEffect,
  useRef,
  useSyncExternalStore,
  type Context,
  type ReactElement,
  type ReactNode,
} from "react";
import type { Callback, Client, State, SubscribeOptions } from "../api.js";
import { getDefaultClient } from "../default-client.js";

const BellwireContext: Context<Client | undefined> = createContext<Client | undefined>(undefined);

/** Names the client of the components below it. Without one they use the default client, e.g. the script tag's. */
export function BellwireProvider(props: { readonly client: Client; readonly children?: ReactNode }): ReactElement {
  return createElement(BellwireContext.Provider, { value: props.client }, props.children);
}

/** The client of this component, if there is one. */
export function useBellwire(): Client | undefined {
  return useContext(BellwireContext) ?? getDefaultClient();
}

/**
 * Subscribes while the component is mounted. The filter may be written inline: it is compared by what it means; the callback
 * is always the latest one. A topic that is null, undefined or false subscribes nothing.
 */
export function useSubscription(
  topic: string | null | undefined | false,
  filter: Filter | null | undefined,
  callback: Callback,
  options?: Pick<SubscribeOptions, "replay">,
): void {
  const client = useBellwire();
  const latest = useRef(callback);
  const canonical = topic ? parseFilter(filter).canonical : "";
  const replay = options?.replay !== false;
  useEffect(() => {
    latest.current = callback;
  });
  useEffect(() => {
    if (!topic || client === undefined) return undefined;
    const subscription = client.subscribe(topic, JSON.parse(canonical) as Filter, (message) => latest.current(message), { replay });
    return () => subscription.unsubscribe();
  }, [client, topic, canonical, replay]);
}

/** The client's state, e.g. to show that the page is offline. `idle` where there is no client, and on the server. */
export function useConnectionState(): State {
  const client = useBellwire();
  return useSyncExternalStore(
    client?.onState ?? nothing,
    () => client?.state ?? "idle",
    () => "idle",
  );
}

function nothing(): () => void {
  return () => {};
}

"use client";

import { parseFilter } from "@bellwire/protocol";
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
import { uncaught } from "../reporter.js";
import { isKnown, type PendingFilter } from "./pending.js";

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
 * is always the latest one. A topic that is null, undefined or false subscribes nothing, nor does a filter before all its values are
 * there: `{ id: undefined }` waits. A topic or filter that can't be is an uncaught error, and leaves the page standing.
 */
export function useSubscription(
  topic: string | null | undefined | false,
  filter: PendingFilter | null | undefined,
  callback: Callback,
  options?: Pick<SubscribeOptions, "replay">,
): void {
  const client = useBellwire();
  const latest = useRef(callback);
  const enabled = client !== undefined && Boolean(topic) && isKnown(filter);
  const filterKey = enabled ? keyOf(filter) : "";
  const replay = options?.replay ?? true;
  useEffect(() => {
    latest.current = callback;
  });
  useEffect(() => {
    if (!enabled) return undefined;
    try {
      const subscription = client.subscribe(topic as string, filter, (message) => latest.current(message), { replay });
      return () => subscription.unsubscribe();
    } catch (error) {
      uncaught(error);
      return undefined;
    }
  }, [client, topic, enabled, filterKey, JSON.stringify(replay)]);
}

/** Equal for filters that mean the same. Never throws: this is called while rendering. */
function keyOf(filter: unknown): string {
  try {
    return parseFilter(filter).canonical;
  } catch (error) {
    return String(error);
  }
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

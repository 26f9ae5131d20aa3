import { getContext, setContext } from "svelte";
import type { Client } from "../api.js";
import { getDefaultClient } from "../default-client.js";
import type { Topics } from "../topics.js";

const KEY = Symbol.for("bellwire");

/** Names the client of this component and those below it. Without one they use the default client, e.g. the script tag's. */
export function setBellwire<T = Topics>(client: Client<T>): void {
  setContext(KEY, client);
}

/** The client of the component that is being made, if there is one. */
export function getBellwire<T = Topics>(): Client<T> | undefined {
  let client: Client<T> | undefined;
  try {
    client = getContext<Client<T> | undefined>(KEY);
  } catch {
    // Outside a component there is no context.
  }
  return client ?? (getDefaultClient() as unknown as Client<T> | undefined);
}

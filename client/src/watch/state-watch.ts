import type { Client, State } from "../api.js";
import type { Store } from "./store.js";

/** The client's state; `idle` where there is no client. */
export function createStateWatch(client: Pick<Client, "state" | "onState"> | undefined): Store<State> {
  return {
    get current() {
      return client?.state ?? "idle";
    },
    subscribe: (onChange) => client?.onState(onChange) ?? (() => {}),
  };
}

import type { BellwireError } from "@bellwire/protocol";
import type { SubscriptionState } from "../api.js";
import type { ClientError } from "../errors.js";

/** What every binding builds on: a value, and word of its changes. It does its work while somebody listens. */
export interface Store<Value> {
  /** Another object after each change. */
  readonly current: Value;
  /** Returns a function that stops it. The first who listens begins the work, the last ends it. */
  readonly subscribe: (onChange: () => void) => () => void;
}

/** `idle`: nothing is subscribed, for want of a client, a topic or a filter's value, or by `enabled: false`. */
export type WatchStatus = "idle" | Exclude<SubscriptionState, "unsubscribed">;

export type WatchError = ClientError | BellwireError;

/** Those who listen to a store: the first one starts it, the last one stops it. */
export class StoreListeners {
  readonly #listeners = new Set<() => void>();
  readonly #start: () => () => void;
  #stop: (() => void) | undefined;

  constructor(start: () => () => void) {
    this.#start = start;
  }

  readonly subscribe = (onChange: () => void): (() => void) => {
    // Wrapped, so that one function can listen twice.
    const own = (): void => onChange();
    this.#listeners.add(own);
    this.#stop ??= this.#start();
    return () => {
      if (!this.#listeners.delete(own) || this.#listeners.size > 0) return;
      const stop = this.#stop;
      this.#stop = undefined;
      stop?.();
    };
  };

  tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

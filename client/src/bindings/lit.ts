import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { CallbackOf, Client, State } from "../api.js";
import { getDefaultClient } from "../default-client.js";
import type { PendingFilterOf, TopicName, Topics } from "../topics.js";
import * as core from "../watch/index.js";

/** A host may name its client; otherwise it is the default client, e.g. the script tag's. */
// oxlint-disable-next-line typescript/no-explicit-any
type Host = ReactiveControllerHost & { readonly bellwire?: Client<any> };

/** Reads a store while its host is connected. `current` is what it says now; changes render the host. */
export class StoreController<Value> implements ReactiveController {
  readonly #host: Host;
  readonly #key: () => string;
  readonly #make: (client: Client<never> | undefined) => core.Store<Value>;
  #known: string | undefined;
  #store: core.Store<Value> | undefined;
  #stop: (() => void) | undefined;

  constructor(host: Host, key: () => string, make: (client: Client<never> | undefined) => core.Store<Value>) {
    this.#host = host;
    this.#key = key;
    this.#make = make;
    host.addController(this);
  }

  get current(): Value {
    return this.#follow().current;
  }

  hostConnected(): void {
    this.#stop ??= this.#follow().subscribe(() => this.#host.requestUpdate());
  }

  hostUpdate(): void {
    if (this.#stop !== undefined) this.#follow();
  }

  hostDisconnected(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #follow(): core.Store<Value> {
    const key = this.#key();
    if (this.#store !== undefined && key === this.#known) return this.#store;
    this.#known = key;
    const listens = this.#stop !== undefined;
    this.hostDisconnected();
    this.#store = this.#make((this.#host.bellwire ?? getDefaultClient()) as Client<never> | undefined);
    if (listens) this.hostConnected();
    return this.#store;
  }
}

/**
 * Subscribes while the element is connected. What may change is given as a function, asked before each update.
 *
 * @example
 * class ContactCard extends LitElement {
 *   readonly contact = subscription(this, "Contact_Updated_Topic", () => ({ id: this.contactId }), () => this.refetch());
 * }
 */
export function subscription<Name extends TopicName<T>, T = Topics>(
  host: Host,
  topic: core.MaybeGetter<Name | core.NoTopic>,
  filter?: core.MaybeGetter<PendingFilterOf<T, Name> | null | undefined>,
  callback?: CallbackOf<T, Name>,
  options?: core.MaybeGetter<core.WatchOptions | undefined>,
): StoreController<core.WatchedOf<T, Name>> {
  return new StoreController(
    host,
    () => core.valueOf(topic) + core.watchKey(core.valueOf(filter), core.valueOf(options)),
    (client) =>
      core.createWatch<Name, T>(
        client as Client<T> | undefined,
        core.valueOf(topic),
        core.valueOf(filter),
        callback,
        core.valueOf(options),
      ),
  );
}

/** Who watches a topic, kept up to date. Takes part in it, too: the topic is subscribed meanwhile, through the filter. */
export function presence<Name extends TopicName<T>, T = Topics>(
  host: Host,
  topic: core.MaybeGetter<Name | core.NoTopic>,
  filter?: core.MaybeGetter<PendingFilterOf<T, Name> | null | undefined>,
): StoreController<core.Presence> {
  return new StoreController(
    host,
    () => core.valueOf(topic) + core.watchKey(core.valueOf(filter)),
    (client) => core.createPresenceWatch<Name, T>(client as Client<T> | undefined, core.valueOf(topic), core.valueOf(filter)),
  );
}

export function connectionState(host: Host): StoreController<State> {
  return new StoreController(
    host,
    () => "",
    (client) => core.createStateWatch(client),
  );
}

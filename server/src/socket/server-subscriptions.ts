import { EVERYTHING, type BellwireError, type ParsedFilter } from "@bellwire/protocol";
import type { Connection } from "./connection.js";
import type { ConnectionObserver } from "./observers.js";
import type { Subscriptions } from "./subscriptions.js";

export interface ServerSubscriptionsOptions {
  readonly subscriptions: Subscriptions;
  /** The personal topics of a connection: of its user, and of its session. */
  readonly personal: (connection: Connection) => readonly string[];
  /** What the server subscribed its user, session or page load to, before or meanwhile. Rejects where that can't be read. */
  readonly registered: (connection: Connection) => Promise<readonly { readonly topic: string; readonly filter: ParsedFilter }[]>;
  /** A subscription that was to be made could not be. */
  readonly onRefused: (error: BellwireError) => void;
  /** What is registered could not be read. */
  readonly onTrouble: (error: unknown) => void;
}

/** Makes the subscriptions that a connection has without asking: personal topics, those of its token or connect reply, and those registered for it. */
export class ServerSubscriptions implements ConnectionObserver {
  readonly #options: ServerSubscriptionsOptions;

  constructor(options: ServerSubscriptionsOptions) {
    this.#options = options;
  }

  opened(connection: Connection): void {
    for (const topic of this.#options.personal(connection)) this.#hold(connection, topic, EVERYTHING);
    for (const { topic, filter } of connection.permit.subscriptions) this.#hold(connection, topic, filter);
    this.restore(connection);
  }

  gone(): void {}

  /** Makes what is registered for a connection and not there yet: also after commands may have been missed. */
  restore(connection: Connection): void {
    this.#options.registered(connection).then((list) => {
      for (const { topic, filter } of list) this.#hold(connection, topic, filter);
    }, this.#options.onTrouble);
  }

  #hold(connection: Connection, topic: string, filter: ParsedFilter): void {
    if (connection.closed) return;
    this.#options.subscriptions.hold(connection, topic, filter).then((refused) => {
      if (refused !== undefined) this.#options.onRefused(refused);
    }, this.#options.onTrouble);
  }
}

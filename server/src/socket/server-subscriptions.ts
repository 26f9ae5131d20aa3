import { EVERYTHING, type BellwireError } from "@bellwire/protocol";
import { personalTopic } from "@bellwire/emitter/internal";
import type { Connection } from "./connection.js";
import type { ConnectionObserver } from "./observers.js";
import type { Subscriptions } from "./subscriptions.js";

export interface ServerSubscriptionsOptions {
  readonly subscriptions: Subscriptions;
  /** Whether every user and session has a personal topic. */
  readonly personal: boolean;
  /** A subscription that was to be made could not be. */
  readonly onRefused: (error: BellwireError) => void;
  readonly onTrouble: (error: unknown) => void;
}

/** Makes the subscriptions that a connection has whatever happened before: its personal topics. The keeper makes the others. */
export class ServerSubscriptions implements ConnectionObserver {
  readonly #options: ServerSubscriptionsOptions;

  constructor(options: ServerSubscriptionsOptions) {
    this.#options = options;
  }

  opened(connection: Connection): void {
    const { user, session } = connection;
    const { personal } = this.#options;
    if (personal && user !== "") this.#hold(connection, personalTopic("user", user));
    if (personal && session !== "") this.#hold(connection, personalTopic("session", session));
  }

  gone(): void {}

  #hold(connection: Connection, topic: string): void {
    this.#options.subscriptions.hold(connection, topic, EVERYTHING, connection.permit).then((refused) => {
      if (refused !== undefined) this.#options.onRefused(refused);
    }, this.#options.onTrouble);
  }
}

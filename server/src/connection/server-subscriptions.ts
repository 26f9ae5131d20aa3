import { backoff, type BackoffBounds } from "@bellwire/emitter/time";
import { EVERYTHING, type BellwireError, type ParsedFilter } from "@bellwire/protocol";
import { personalTopic } from "@bellwire/emitter/publication";
import type { Connection } from "./connection.js";
import type { ConnectionObserver } from "./observers.js";
import type { Subscriptions } from "./subscriptions.js";

export interface ServerSubscriptionsOptions {
  readonly subscriptions: Pick<Subscriptions, "hold">;
  /** Whether every user and session has a personal topic. */
  readonly personal: boolean;
  /** A subscription that was to be made could not be, this time. */
  readonly onRefused: (error: BellwireError) => void;
  readonly onTrouble: (error: unknown) => void;
  /** Milliseconds before those that were refused with `later` are tried again: at first, and at most. Default 1 s and 60 s. */
  readonly retry?: BackoffBounds;
}

interface Wanted {
  readonly topic: string;
  readonly filter: ParsedFilter;
}

/** What a connection is to have and has not. One timer for all of it. */
interface Owed {
  readonly wanted: Set<Wanted>;
  timer: NodeJS.Timeout | undefined;
  attempts: number;
}

const RETRY: BackoffBounds = { least: 1000, most: 60_000 };

/** Makes the subscriptions that a connection has whatever happened before: its personal topics. The keeper makes the others. */
export class ServerSubscriptions implements ConnectionObserver {
  readonly #options: ServerSubscriptionsOptions;
  readonly #owed = new Map<Connection, Owed>();

  constructor(options: ServerSubscriptionsOptions) {
    this.#options = options;
  }

  opened(connection: Connection): void {
    const { user, session } = connection;
    const { personal } = this.#options;
    if (personal && user !== "") this.#hold(connection, { topic: personalTopic("user", user), filter: EVERYTHING });
    if (personal && session !== "") this.#hold(connection, { topic: personalTopic("session", session), filter: EVERYTHING });
  }

  gone(connection: Connection): void {
    clearTimeout(this.#owed.get(connection)?.timer);
    this.#owed.delete(connection);
  }

  #hold(connection: Connection, wanted: Wanted): void {
    const { subscriptions, onRefused, onTrouble } = this.#options;
    subscriptions.hold(connection, wanted.topic, wanted.filter, connection.permit).then((refused) => {
      if (refused === undefined) return;
      onRefused(refused);
      if (refused.retry === "later" && !connection.closed) this.#later(connection, wanted, refused.after ?? 0);
    }, onTrouble);
  }

  #later(connection: Connection, wanted: Wanted, after: number): void {
    let owed = this.#owed.get(connection);
    if (owed === undefined) this.#owed.set(connection, (owed = { wanted: new Set(), timer: undefined, attempts: 0 }));
    owed.wanted.add(wanted);
    if (owed.timer !== undefined) return;
    const pause = Math.max(after, backoff(++owed.attempts, this.#options.retry ?? RETRY));
    owed.timer = setTimeout(() => this.#retry(connection, owed), pause);
    owed.timer.unref();
  }

  #retry(connection: Connection, owed: Owed): void {
    owed.timer = undefined;
    const again = [...owed.wanted];
    owed.wanted.clear();
    for (const wanted of again) this.#hold(connection, wanted);
  }
}

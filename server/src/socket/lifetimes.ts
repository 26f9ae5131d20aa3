import { BellwireError, filterObject } from "@bellwire/protocol";
import type { Admission } from "../auth/admission.js";
import { Disconnected, type Hooks } from "../hooks/hooks.js";
import { toBellwireError } from "../failure.js";
import { askerOf } from "./asker.js";
import type { Connection, Subscription } from "./connection.js";
import type { ConnectionObserver, SubscriptionObserver } from "./observers.js";
import { Schedule } from "./schedule.js";
import type { Subscriptions } from "./subscriptions.js";

export interface LifetimesOptions {
  readonly hooks: Hooks;
  readonly admission: Admission;
  readonly subscriptions: Subscriptions;
  /** Seconds that something outlives its end while the backend that would prolong it can't be asked. Default 25. */
  readonly grace?: number | undefined;
  /** Sends a connection's or subscription's fresh ticket. */
  readonly sendTickets: (connection: Connection, subscriptions: readonly Subscription[]) => void;
}

/** Seconds before an end at which it is announced, or half of what is left where that is less. */
const LEAD = 30;
const GRACE = 25;
/** Attempts to ask within the grace. */
const ATTEMPTS = 5;

/** How an attempt to prolong something went. `nobody`: there is no hook to ask; `missed`: it could not be asked. */
type Outcome = "prolonged" | "refused" | "missed" | "nobody";

/**
 * Holds connections and subscriptions to their `until`, to the second. Before it the backend's hook is asked, where there is one
 * that may say; otherwise the client is told to send `refresh`.
 */
export class Lifetimes implements ConnectionObserver, SubscriptionObserver {
  readonly #options: LifetimesOptions;
  readonly #schedule = new Schedule();
  /** What forgets the next moment of a connection or subscription. */
  readonly #next = new Map<Connection | Subscription, () => void>();

  readonly #grace: number;

  constructor(options: LifetimesOptions) {
    this.#options = options;
    this.#grace = options.grace ?? GRACE;
  }

  opened(connection: Connection): void {
    this.#watch(connection, connection.permit.until, () => this.#announce(connection));
  }

  gone(connection: Connection): void {
    this.#forget(connection);
  }

  made(connection: Connection, subscription: Subscription): void {
    this.#watch(subscription, subscription.proof.until, () => this.#announce(connection, subscription));
  }

  ended(_connection: Connection, subscription: Subscription): void {
    this.#forget(subscription);
  }

  /** After the permit of a connection, or the proof of a subscription, has changed. */
  changed(connection: Connection, subscription?: Subscription): void {
    if (subscription === undefined) this.opened(connection);
    else this.made(connection, subscription);
  }

  #watch(what: Connection | Subscription, until: number | undefined, announce: () => void): void {
    this.#forget(what);
    if (until === undefined) return;
    const left = until - Date.now() / 1000;
    this.#at(what, until - Math.min(LEAD, left / 2), announce);
  }

  #at(what: Connection | Subscription, seconds: number, run: () => void): void {
    this.#forget(what);
    this.#next.set(what, this.#schedule.at(seconds, run));
  }

  #forget(what: Connection | Subscription): void {
    this.#next.get(what)?.();
    this.#next.delete(what);
  }

  #announce(connection: Connection, subscription?: Subscription): void {
    const what = subscription ?? connection;
    const until = untilOf(connection, subscription);
    this.#at(what, until, () => this.#end(connection, subscription));
    this.#prolong(connection, subscription).then(
      (outcome) => {
        if (untilOf(connection, subscription) !== until || !this.#next.has(what)) return; // prolonged meanwhile, or over
        if (outcome === "nobody" || outcome === "missed") this.#tellExpiring(connection, subscription, until);
        if (outcome === "missed") this.#at(what, this.#nextAttempt, () => this.#again(connection, subscription, until + this.#grace));
      },
      () => undefined, // it never rejects
    );
  }

  /** Asks once more, until the grace is over. */
  #again(connection: Connection, subscription: Subscription | undefined, end: number): void {
    const what = subscription ?? connection;
    if (Date.now() / 1000 >= end) return this.#end(connection, subscription);
    this.#at(what, end, () => this.#end(connection, subscription));
    this.#prolong(connection, subscription).then(
      (outcome) => {
        if (outcome !== "missed" || !this.#next.has(what)) {
          if (outcome === "refused") this.#end(connection, subscription);
          return;
        }
        this.#at(what, Math.min(end, this.#nextAttempt), () => this.#again(connection, subscription, end));
      },
      () => undefined,
    );
  }

  get #nextAttempt(): number {
    return Date.now() / 1000 + this.#grace / ATTEMPTS;
  }

  /** Asks the backend for a new end. */
  async #prolong(connection: Connection, subscription: Subscription | undefined): Promise<Outcome> {
    try {
      const asked = subscription === undefined ? this.#askRefresh(connection) : this.#askSubscribe(connection, subscription);
      return asked === undefined ? "nobody" : await asked;
    } catch (error) {
      if (error instanceof Disconnected) {
        connection.bye(error.error);
        return "refused";
      }
      return toBellwireError(error).retry === "later" ? "missed" : "refused";
    }
  }

  #askRefresh(connection: Connection): Promise<Outcome> | undefined {
    const asked = this.#options.hooks.refresh(askerOf(connection));
    return asked?.then(({ until }) => {
      if (!isAhead(until)) return "refused";
      connection.permit = { ...connection.permit, until };
      this.changed(connection);
      this.#options.sendTickets(connection, []);
      return "prolonged";
    });
  }

  #askSubscribe(connection: Connection, subscription: Subscription): Promise<Outcome> | undefined {
    const { topic, filter, proof } = subscription;
    if (proof.hooked !== true) return undefined;
    const asked = this.#options.hooks.subscribe({ ...askerOf(connection), topic, filter: filterObject(filter), params: {} });
    return asked?.then(({ until }) => {
      if (!isAhead(until)) return "refused";
      subscription.proof = { ...subscription.proof, until };
      this.changed(connection, subscription);
      this.#options.sendTickets(connection, [subscription]);
      return "prolonged";
    });
  }

  #tellExpiring(connection: Connection, subscription: Subscription | undefined, until: number): void {
    connection.tell("expiring", subscription === undefined ? { until } : { until, ids: [subscription.id] });
  }

  #end(connection: Connection, subscription: Subscription | undefined): void {
    const error = new BellwireError("token-expired", subscription === undefined ? "The connection's time is up" : "Its time is up");
    if (subscription === undefined) {
      this.#forget(connection);
      if (!connection.closed) connection.bye(error);
    } else this.#options.subscriptions.endOne(connection, subscription, error);
  }

  /**
   * Answers a client that asks for a new end without a token.
   * @returns the new end, epoch seconds
   */
  async refresh(connection: Connection): Promise<number | undefined> {
    const asked = this.#askRefresh(connection);
    if (asked === undefined) throw new BellwireError("token-missing", "There is nobody to ask here: send a token");
    if ((await asked) === "refused") throw new BellwireError("forbidden", "The backend does not prolong the connection");
    return connection.permit.until;
  }

  close(): void {
    this.#schedule.stop();
    this.#next.clear();
  }
}

function untilOf(connection: Connection, subscription: Subscription | undefined): number {
  return (subscription === undefined ? connection.permit.until : subscription.proof.until) ?? Number.POSITIVE_INFINITY;
}

function isAhead(until: number | undefined): boolean {
  return until === undefined || until > Date.now() / 1000;
}

import { BellwireError, filterObject } from "@bellwire/protocol";
import { authoritiesFor, isSame, type ConnectionPermit } from "../auth/permits.js";
import type { SubscriptionProof } from "../auth/tickets.js";
import { Disconnected, type Hooks } from "../hooks/hooks.js";
import { toBellwireError } from "./failure.js";
import type { Connection, Subscription } from "./connection.js";
import type { ConnectionObserver, SubscriptionObserver } from "./observers.js";
import { Schedule } from "../pacing/schedule.js";
import type { TicketSender } from "./ticket-sender.js";

export interface LifetimesOptions {
  readonly hooks: Hooks;
  /** The clock that permits are dated by, epoch seconds. */
  readonly now: () => number;
  /** Seconds that something outlives its end while the backend that would prolong it can't be asked. Default 25. */
  readonly grace?: number | undefined;
  readonly tickets: Pick<TicketSender, "send">;
  /** Something that should not have failed. */
  readonly onTrouble: (error: unknown) => void;
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

  /** A connection has a new permit: what its grants allowed goes on with it, no younger than the grant that allows it. */
  renew(connection: Connection, permit: ConnectionPermit): void {
    if (connection.closed) return;
    connection.permit = permit;
    this.opened(connection);
    const granted: Subscription[] = [];
    for (const subscription of connection.subscriptions.values()) {
      const { granted: byGrant, topic, filter, proof } = subscription;
      const allowing = byGrant ? authoritiesFor(permit, topic, filter) : [];
      const by = allowing.find((one) => isSame(one, proof)) ?? allowing[0];
      if (by === undefined) continue;
      subscription.proof = { ...proof, iat: by.iat, jti: by.jti, until: permit.until };
      this.made(connection, subscription);
      granted.push(subscription);
    }
    this.#options.tickets.send(connection, granted);
  }

  /** A subscription has a new proof. */
  renewSubscription(connection: Connection, subscription: Subscription, proof: SubscriptionProof): void {
    if (!isOpen(connection, subscription)) return;
    subscription.proof = proof;
    this.made(connection, subscription);
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
    const until = untilOf(connection, subscription);
    this.#ask(connection, subscription, until + this.#grace, (outcome) => {
      if (outcome !== "refused") this.#tellExpiring(connection, subscription, until);
      if (outcome === "missed") this.#askLater(connection, subscription, until + this.#grace);
      else this.#at(subscription ?? connection, until, () => this.#end(connection, subscription));
    });
  }

  /** Asks once more after a while, until the grace is over. */
  #askLater(connection: Connection, subscription: Subscription | undefined, end: number): void {
    const next = Math.min(end, Date.now() / 1000 + this.#grace / ATTEMPTS);
    this.#at(subscription ?? connection, next, () => {
      if (Date.now() / 1000 >= end) return this.#end(connection, subscription);
      this.#ask(connection, subscription, end, (outcome) => {
        if (outcome === "missed") this.#askLater(connection, subscription, end);
        else this.#at(subscription ?? connection, untilOf(connection, subscription), () => this.#end(connection, subscription));
      });
    });
  }

  /**
   * Asks the backend for a new end. The present one does not count while the question is under way: an answer that is late is
   * one that was missed.
   * @param end when it ends whatever happens
   * @param then told how it went, unless it was prolonged, by whomever, or is over
   */
  #ask(
    connection: Connection,
    subscription: Subscription | undefined,
    end: number,
    then: (outcome: Exclude<Outcome, "prolonged">) => void,
  ): void {
    const what = subscription ?? connection;
    const until = untilOf(connection, subscription);
    this.#at(what, end, () => this.#end(connection, subscription));
    this.#prolong(connection, subscription)
      .then((outcome) => {
        if (outcome !== "prolonged" && untilOf(connection, subscription) === until && this.#next.has(what)) then(outcome);
      })
      .catch(this.#options.onTrouble);
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
    const asked = this.#options.hooks.refresh(connection.asker);
    return asked?.then(({ until }) => {
      if (!isAhead(until)) return "refused";
      // A later end and no younger permit: nobody has looked at its grants again, and a revocation on its way must still hold.
      this.renew(connection, { ...connection.permit, until });
      return "prolonged";
    });
  }

  #askSubscribe(connection: Connection, subscription: Subscription): Promise<Outcome> | undefined {
    const { topic, filter, proof } = subscription;
    if (proof.hooked !== true) return undefined;
    // The time of the question stands for that of a token: whatever is revoked while it is answered is revoked.
    const iat = this.#options.now();
    const asked = this.#options.hooks.subscribe({ ...connection.asker, topic, filter: filterObject(filter) });
    return asked?.then(({ until }) => {
      if (!isAhead(until)) return "refused";
      this.renewSubscription(connection, subscription, { ...subscription.proof, iat, until });
      if (isOpen(connection, subscription)) this.#options.tickets.send(connection, [subscription]);
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
    } else subscription.end(connection, error);
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

/** Whether it still is: it may have ended while somebody was asked about it. */
function isOpen(connection: Connection, subscription: Subscription): boolean {
  return !connection.closed && connection.subscriptions.get(subscription.id) === subscription;
}

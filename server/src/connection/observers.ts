import type { Connection, Subscription } from "./connection.js";

/** Told of every connection that is admitted, after its hello, and of its end, after that of its subscriptions. Must not throw. */
export interface ConnectionObserver {
  opened(connection: Connection): void;
  /** @param reason what ended it, in Socket.IO's words */
  gone(connection: Connection, reason: string): void;
}

/** Told of every subscription that is made and ended, in the same step; must not throw. */
export interface SubscriptionObserver {
  made(connection: Connection, subscription: Subscription): void;
  ended(connection: Connection, subscription: Subscription): void;
}

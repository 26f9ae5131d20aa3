import type { RevokeCommand, Standing, SubscribeCommand, UnsubscribeCommand } from "@bellwire/emitter/commands";
import type { ParsedFilter } from "@bellwire/protocol";

/** Who asks: a connection. Empty strings stand for "none". */
export interface Visitor {
  readonly user: string;
  readonly session: string;
  readonly client: string;
}

/** What is to be subscribed. */
export interface Wanted {
  readonly topic: string;
  readonly filter: ParsedFilter;
}

/**
 * The subscriptions that the server made for users, sessions and page loads (owners). Guarantees, the same in memory and on Redis:
 * - a connection that opens has what it would have if it had been open at each command: of two commands the later one counts.
 * - an owner's subscriptions are kept for 24 h after the last `subscribe` for it or the last `of` that named it, and at most a quarter longer.
 * - an owner holds at most 1,000 subscriptions; a further one is refused with `limit`, and none is dropped.
 * - an end is kept also where nothing is held: it counts for subscriptions that tokens list.
 * - whatever else stands where they are stored is read over.
 * What is told of commands beside it is not its concern.
 */
export interface HeldStore {
  /** Holds a subscription for the owner that the command names. Rejects with a BellwireError: `limit` or `unavailable`. */
  add(command: SubscribeCommand): Promise<void>;
  /**
   * Ends what lies within an `unsubscribe`, or could hear something of a `revoke`, for its owner or for everybody on the site, also
   * where another owner that a connection has holds it. Rejects as `add`.
   */
  remove(command: UnsubscribeCommand | RevokeCommand): Promise<void>;
  /** What counts for a connection, and a use of it. Costs next to nothing on a site where nothing is held. Rejects with `unavailable`. */
  of(site: string, visitor: Visitor): Promise<Standing>;
  /** Something was stored for this site, by whomever: what was known of it before does not count any more. */
  changed(site: string): void;
}

export const NOTHING_HELD: Standing = { held: [], ends: [] };

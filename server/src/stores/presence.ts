import type { Position } from "@bellwire/protocol";

/** One who comes (`info`: JSON text, or "" for none) or goes (`info`: null). */
export interface MemberChange {
  /** `u<user>`; of the anonymous `s<session>` or `c<client>`: they count and are not listed. */
  readonly member: string;
  readonly info: string | null;
}

/** Who is present on a topic. */
export interface PresenceSnapshot {
  /** The changes up to here are in it; undefined where there never were any. */
  readonly position: Position | undefined;
  /** All, the anonymous among them. */
  readonly count: number;
  /** Users and their info as JSON text, "" for none; at most `MAX_LISTED`. */
  readonly users: readonly (readonly [user: string, info: string])[];
}

/** What happened on a topic since a position. */
export interface PresenceChanges {
  /** Undefined where nothing is kept of this topic, e.g. after a flush. */
  readonly head: Position | undefined;
  readonly count: number;
  /** Members that this relay has there, as far as the store knows. */
  readonly own: number;
  /** Of users, in order; undefined where they are no longer known in full. The anonymous only move the count. */
  readonly changes: readonly MemberChange[] | undefined;
}

export interface PresenceListener {
  /** Somebody came or went on a topic that is listened to, or that may have been missed. */
  changed(site: string, topic: string): void;
  /** Relays are gone: what they held may have to be swept. */
  relaysGone(): void;
  /** What this relay holds may be gone from the store, as after an outage. */
  lost(): void;
}

/** How long whoever left counts as present, in milliseconds, unless told otherwise. */
export const PRESENCE_GRACE_MS = 3000;

/** Users that a snapshot lists at most. */
export const MAX_LISTED = 10_000;

/**
 * Who is present on the topics of all sites. Guarantees, the same in memory and on Redis:
 * - a member is there from the first relay that has it to the last, and each of the two is one change; so is another info;
 * - changes have positions; the newest 512 are known, and a listener hears that there are some;
 * - what a relay holds ends within 30 s of the relay's own end, wherever somebody asks or listens.
 * All methods that answer reject with a BellwireError within a few seconds.
 */
export interface PresenceStore {
  /** MUST be called once, before anything else. */
  start(listener: PresenceListener): void;
  /** False while it is known that nothing can be reached. */
  readonly reachable: boolean;
  /** Has members of this relay come and go, in order. Returns the positions before and after. */
  apply(site: string, topic: string, changes: readonly MemberChange[]): Promise<{ before: Position; after: Position }>;
  changes(site: string, topic: string, since: Position | undefined): Promise<PresenceChanges>;
  /** @param listed false: the count alone */
  snapshot(site: string, topic: string, listed: boolean): Promise<PresenceSnapshot>;
  /** The members that this relay has there, as far as the store knows. */
  own(site: string, topic: string): Promise<ReadonlySet<string>>;
  /** Takes away what relays hold that are gone. */
  sweep(site: string, topic: string): Promise<void>;
  listen(site: string, topic: string): void;
  unlisten(site: string, topic: string): void;
  /** What this relay holds stays for as long as its lease. */
  close(): void;
}

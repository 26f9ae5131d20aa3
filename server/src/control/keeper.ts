import { backoff } from "@bellwire/emitter/time";
import { endCovers, endText, parseEnd, type Command, type OwnerKind, type Standing } from "@bellwire/emitter/commands";
import { BellwireError, filterObject } from "@bellwire/protocol";
import { Rotation } from "../pacing/rotation.js";
import type { Connection } from "../connection/connection.js";
import type { ConnectionObserver } from "../connection/observers.js";
import type { Subscriptions } from "../connection/subscriptions.js";
import { listedEnded, listedOf, type Listed } from "./listed.js";
import type { HeldStore, Wanted } from "../stores/held.js";

export interface KeeperOptions {
  readonly held: HeldStore;
  /** This relay's connections. */
  readonly connections: ReadonlySet<Connection>;
  readonly subscriptions: Pick<Subscriptions, "hold" | "endHeld" | "endWithin">;
  /** The clock that permits are dated by, epoch seconds. */
  readonly now: () => number;
  /** A subscription that was to be made could not be. */
  readonly onRefused: (error: BellwireError) => void;
  /** The store can't be read or written; it is tried again. */
  readonly onTrouble: (error: unknown) => void;
}

/** A reading under way for one connection. */
interface Reading {
  /** A command about the connection came meanwhile: what is read may be older. */
  stale: boolean;
}

/** What a connection's token lists and is not made yet. */
interface Listing {
  readonly left: Listed[];
  attempts: number;
  timer: NodeJS.Timeout | undefined;
}

type Kept = Wanted & { readonly owner: OwnerKind };

// Connections that are read at once: enough to keep Redis busy, few enough to leave room for others.
const BATCH = 256;
const TICK_MS = 1000;
// Every connection is read again: its owners stay in use, and what was lost on the way is made good.
const ROUND_MS = 10 * 60_000;
const MOST_READINGS = 5;
// Pauses before what a token lists and could not be made is tried again.
const RETRY_MS = { least: 1000, most: 60_000 } as const;

/**
 * Gives connections what the server subscribed for their owners: when they open, when a command tells of it, and again where
 * commands may have been missed. What the store has lost meanwhile, it puts back. What a connection's token lists is made here
 * too, once it is known what of it was ended since.
 */
export class Keeper implements ConnectionObserver {
  readonly #options: KeeperOptions;
  /** What connections have from the store, by topic and filter. One that its client has ended stays here, so that it stays ended. */
  readonly #kept = new WeakMap<Connection, Map<string, Kept>>();
  readonly #readings = new Map<Connection, Reading>();
  /** What connections' tokens list, from the first reading on. */
  readonly #listings = new WeakMap<Connection, Listing>();
  /** Those whose reading has failed. */
  readonly #owed = new Set<Connection>();
  readonly #round: Rotation<Connection>;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#round = new Rotation(() => options.connections, ROUND_MS / TICK_MS);
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  opened(connection: Connection): void {
    void this.#read(connection); // never rejects
  }

  gone(connection: Connection): void {
    clearTimeout(this.#listings.get(connection)?.timer);
    this.#owed.delete(connection);
  }

  /** A command was stored and told. To be called before it is done. @param named the connections that it is about */
  heard(command: Command, named: readonly Connection[]): void {
    if (command.kind === "disconnect") return;
    this.#options.held.changed(command.site);
    const text = command.kind === "subscribe" ? undefined : endText(command);
    const end = text === undefined ? undefined : parseEnd(text, 0);
    for (const connection of named) {
      const reading = this.#readings.get(connection);
      if (reading !== undefined) reading.stale = true;
      const kept = this.#kept.get(connection);
      if (end === undefined || kept === undefined) continue;
      const ended = [...kept].filter(([, { topic, filter }]) => endCovers(end, topic, filter));
      for (const [name] of ended) kept.delete(name);
      if (command.kind === "revoke" && ended.length > 0) this.#revoked(connection, ended);
    }
  }

  /**
   * Commands are heard in their order, whatever the clocks say: what is held by now was subscribed before the revocation. Where it
   * was read after a later `subscribe`, the next reading makes it again.
   */
  #revoked(connection: Connection, ended: readonly (readonly [string, Kept])[]): void {
    const error = new BellwireError("revoked", "The subscription was revoked");
    for (const [, { topic, filter }] of ended) this.#options.subscriptions.endHeld(connection, topic, filter, error);
    void this.#read(connection); // never rejects
  }

  /**
   * Subscribes a connection for one of its owners.
   * @param decided when that was known to stand, epoch seconds
   */
  hold(connection: Connection, { topic, filter, owner }: Kept, decided: number = this.#options.now()): void {
    const { subscriptions, onRefused } = this.#options;
    const name = topic + filter.canonical;
    const kept = this.#kept.get(connection) ?? new Map<string, Kept>();
    const one: Kept = { topic, filter, owner };
    this.#kept.set(connection, kept.set(name, one));
    const refused = (error: BellwireError): void => {
      if (kept.get(name) === one) kept.delete(name); // the next reading tries again
      onRefused(error);
    };
    subscriptions.hold(connection, topic, filter, { iat: decided, jti: undefined }).then((error) => {
      if (error !== undefined) refused(error);
    }, refused);
  }

  /** Makes what a connection's token lists, as far as it has not ended since: each once, but for what may succeed later. */
  #makeListed(connection: Connection, ends: Standing["ends"]): void {
    if (connection.closed) return;
    let listing = this.#listings.get(connection);
    if (listing === undefined) {
      listing = { left: listedOf(connection.permit), attempts: 0, timer: undefined };
      this.#listings.set(connection, listing);
    }
    for (const one of listing.left.splice(0)) if (!listedEnded(one, ends)) this.#makeOne(connection, listing, one);
  }

  #makeOne(connection: Connection, listing: Listing, one: Listed): void {
    const { subscriptions, onRefused } = this.#options;
    subscriptions.hold(connection, one.topic, one.filter, one.by).then((error) => {
      if (error === undefined) return;
      onRefused(error);
      if (error.retry !== "later" || connection.closed) return;
      listing.left.push(one);
      if (listing.timer !== undefined) return;
      const pause = backoff(++listing.attempts, RETRY_MS);
      listing.timer = setTimeout(
        () => {
          listing.timer = undefined;
          if (!connection.closed) this.#owed.add(connection); // what was ended meanwhile is looked at again
        },
        Math.max(error.after ?? 0, pause),
      );
      listing.timer.unref();
    }, onRefused);
  }

  /** Commands may have been missed: reads for every connection. Never rejects. */
  async reread(): Promise<void> {
    for (const { site } of this.#options.connections) this.#options.held.changed(site);
    await this.#readAll([...this.#options.connections]);
  }

  #tick(): void {
    const due = new Set([...this.#round.next(), ...this.#owed]);
    this.#owed.clear();
    void this.#readAll([...due]); // never rejects
  }

  async #readAll(connections: readonly Connection[]): Promise<void> {
    for (let i = 0; i < connections.length; i += BATCH) {
      await Promise.all(connections.slice(i, i + BATCH).map((connection) => this.#read(connection)));
    }
  }

  async #read(connection: Connection): Promise<void> {
    const current = this.#readings.get(connection);
    if (current !== undefined) {
      current.stale = true;
      return;
    }
    const reading: Reading = { stale: false };
    this.#readings.set(connection, reading);
    try {
      if (!(await this.#readUntilFresh(connection, reading))) this.#owed.add(connection);
    } catch (error) {
      if (!connection.closed) this.#owed.add(connection);
      this.#makeListed(connection, []); // where nothing can be read nothing is delivered either: the next reading looks at it again
      this.#options.onTrouble(error);
    } finally {
      this.#readings.delete(connection);
    }
  }

  /** False where commands came faster than answers. */
  async #readUntilFresh(connection: Connection, reading: Reading): Promise<boolean> {
    for (let readings = 0; readings < MOST_READINGS; readings++) {
      reading.stale = false;
      const asked = this.#options.now();
      const standing = await this.#options.held.of(connection.site, connection);
      if (connection.closed) return true;
      if (reading.stale) continue;
      this.#apply(connection, standing, asked);
      return true;
    }
    return false;
  }

  /** @param asked when the reading began, epoch seconds: what is revoked since then is revoked */
  #apply(connection: Connection, { held, ends }: Standing, asked: number): void {
    const kept = this.#kept.get(connection);
    const missing = new Map(kept);
    this.#endListed(connection, { held, ends });
    this.#makeListed(connection, ends);
    for (const one of held) {
      const name = one.topic + one.filter.canonical;
      if (!missing.delete(name) && kept?.has(name) !== true) this.hold(connection, one, asked);
    }
    for (const [name, one] of missing) {
      if (ends.some((end) => endCovers(end, one.topic, one.filter))) {
        kept?.delete(name);
        this.#options.subscriptions.endWithin(connection, one, new BellwireError("not-found", "The server ended the subscription"));
      } else this.#putBack(connection, one);
    }
  }

  /** Ends what was listed and has ended since, where that was missed. */
  #endListed(connection: Connection, { held, ends }: Standing): void {
    if (!this.#listings.has(connection)) return;
    for (const one of listedOf(connection.permit)) {
      const isHeld = held.some(({ topic, filter }) => topic === one.topic && filter.canonical === one.filter.canonical);
      if (isHeld || !listedEnded(one, ends)) continue;
      const error = new BellwireError("not-found", "The server ended the subscription");
      this.#options.subscriptions.endHeld(connection, one.topic, one.filter, error);
    }
  }

  /** Nobody ended it: a Redis without its data again. Whoever still knows of it says so. */
  #putBack(connection: Connection, { topic, filter, owner }: Kept): void {
    const { site } = connection;
    const command = { kind: "subscribe", site, [owner]: connection[owner], topic, filter: filterObject(filter) } as const;
    this.#options.held.add(command).catch(this.#options.onTrouble);
  }
}

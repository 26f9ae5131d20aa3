import { covers, endText, parseEnd, type Command, type OwnerKind, type Standing } from "@bellwire/emitter/internal";
import { BellwireError, filterObject } from "@bellwire/protocol";
import { Rotation } from "../feed/rotation.js";
import type { Connection } from "../socket/connection.js";
import type { ConnectionObserver } from "../socket/observers.js";
import type { Subscriptions } from "../socket/subscriptions.js";
import type { Registry, Wanted } from "./registry.js";

export interface KeeperOptions {
  readonly registry: Registry;
  /** This relay's connections. */
  readonly connections: ReadonlySet<Connection>;
  readonly subscriptions: Pick<Subscriptions, "hold" | "endWithin">;
  /** A subscription that was to be made could not be. */
  readonly onRefused: (error: BellwireError) => void;
  /** The registry can't be read or written; it is tried again. */
  readonly onTrouble: (error: unknown) => void;
}

/** A reading under way for one connection. */
interface Reading {
  /** A command about the connection came meanwhile: what is read may be older. */
  stale: boolean;
}

type Kept = Wanted & { readonly owner: OwnerKind };

// Connections that are read at once: enough to keep Redis busy, few enough to leave room for others.
const BATCH = 256;
const TICK_MS = 1000;
// Every connection is read again: its owners stay in use, and what was lost on the way is made good.
const ROUND_MS = 10 * 60_000;
const MOST_READINGS = 5;

/**
 * Gives connections what the server subscribed for their owners: when they open, when a command tells of it, and again where
 * commands may have been missed. What the registry has lost meanwhile, it puts back.
 */
export class Keeper implements ConnectionObserver {
  readonly #options: KeeperOptions;
  /** What connections have from the registry, by topic and filter. One that its client has ended stays here, so that it stays ended. */
  readonly #kept = new WeakMap<Connection, Map<string, Kept>>();
  readonly #readings = new Map<Connection, Reading>();
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
    this.#owed.delete(connection);
  }

  /** A command was stored and told. To be called before it is done. @param named the connections that it is about */
  heard(command: Command, named: readonly Connection[]): void {
    if (command.kind === "disconnect") return;
    this.#options.registry.changed(command.site);
    const text = command.kind === "subscribe" ? undefined : endText(command);
    const end = text === undefined ? undefined : parseEnd(text, 0);
    for (const connection of named) {
      const reading = this.#readings.get(connection);
      if (reading !== undefined) reading.stale = true;
      const kept = this.#kept.get(connection);
      if (end === undefined || kept === undefined) continue;
      for (const [name, { topic, filter }] of kept) if (covers(end, topic, filter)) kept.delete(name);
    }
  }

  /** Subscribes a connection for one of its owners. */
  hold(connection: Connection, { topic, filter, owner }: Kept): void {
    const { subscriptions, onRefused } = this.#options;
    const name = topic + filter.canonical;
    const kept = this.#kept.get(connection) ?? new Map<string, Kept>();
    const one: Kept = { topic, filter, owner };
    this.#kept.set(connection, kept.set(name, one));
    const refused = (error: BellwireError): void => {
      if (kept.get(name) === one) kept.delete(name); // the next reading tries again
      onRefused(error);
    };
    subscriptions.hold(connection, topic, filter).then((error) => {
      if (error !== undefined) refused(error);
    }, refused);
  }

  /** Commands may have been missed: reads for every connection. Never rejects. */
  async reread(): Promise<void> {
    for (const { site } of this.#options.connections) this.#options.registry.changed(site);
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
      this.#options.onTrouble(error);
    } finally {
      this.#readings.delete(connection);
    }
  }

  /** False where commands came faster than answers. */
  async #readUntilFresh(connection: Connection, reading: Reading): Promise<boolean> {
    for (let readings = 0; readings < MOST_READINGS; readings++) {
      reading.stale = false;
      const standing = await this.#options.registry.of(connection.site, connection);
      if (connection.closed) return true;
      if (reading.stale) continue;
      this.#apply(connection, standing);
      return true;
    }
    return false;
  }

  #apply(connection: Connection, { held, ends }: Standing): void {
    const kept = this.#kept.get(connection);
    const missing = new Map(kept);
    for (const one of held) {
      const name = one.topic + one.filter.canonical;
      if (!missing.delete(name) && kept?.has(name) !== true) this.hold(connection, one);
    }
    for (const [name, one] of missing) {
      if (ends.some((end) => covers(end, one.topic, one.filter))) {
        kept?.delete(name);
        this.#options.subscriptions.endWithin(connection, one, new BellwireError("not-found", "The server ended the subscription"));
      } else this.#putBack(connection, one);
    }
  }

  /** Nobody ended it: a Redis without its data again. Whoever still knows of it says so. */
  #putBack(connection: Connection, { topic, filter, owner }: Kept): void {
    const { site } = connection;
    const command = { kind: "subscribe", site, [owner]: connection[owner], topic, filter: filterObject(filter) } as const;
    this.#options.registry.add(command).catch(this.#options.onTrouble);
  }
}

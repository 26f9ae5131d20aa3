import { connectCommands, Keys, type RedisClient, type RedisTarget } from "@bellwire/emitter/redis";
import { EVERYTHING, type PresenceUser } from "@bellwire/protocol";
import type { SocketFrame } from "../../server/src/socket/frame.js";
import { socketCodec } from "../../server/src/socket/socket-codec.js";
import { Lease, type LeaseTiming } from "../../server/src/redis/lease.js";
import { MemoryPresence } from "../../server/src/stores/memory/presence.js";
import type { PresenceStore } from "../../server/src/stores/presence.js";
import type { PresenceMode } from "../../server/src/presence/presence-text.js";
import { RedisPresence } from "../../server/src/stores/redis/presence.js";
import { PresenceRoster, type PresenceTiming } from "../../server/src/presence/roster.js";
import type { Connection, Subscription } from "../../server/src/connection/connection.js";

export interface Told {
  readonly topic: string;
  readonly joined: readonly PresenceUser[];
  readonly left: readonly PresenceUser[];
  readonly count: number;
  readonly incomplete?: true;
}

export const topic = (name: string): Subscription =>
  ({ id: name, topic: name, filter: EVERYTHING, held: false }) as unknown as Subscription;

let pages = 0;

/** A connection without a socket, that keeps what it is told. */
export class Guest {
  readonly site: string;
  readonly user: string;
  readonly session: string;
  readonly client = `page-${pages++}`;
  readonly id: string = this.client;
  readonly codec = socketCodec;
  readonly permit: { info: unknown };
  readonly subscriptions: Map<string, Subscription> = new Map();
  readonly told: Told[] = [];
  frames = 0;

  constructor(user: string, { session = "", site = "5", info }: { session?: string; site?: string; info?: unknown } = {}) {
    this.user = user;
    this.session = session;
    this.site = site;
    this.permit = { info };
  }

  get connection(): Connection {
    return this as unknown as Connection;
  }

  send({ text }: SocketFrame): void {
    this.frames++;
    const [event, name, change] = JSON.parse(text.slice(text.indexOf(",") + 1)) as [string, string, Omit<Told, "topic">];
    if (event === "presence") this.told.push({ topic: name, ...change });
  }

  /** Who was told to be there, by name. */
  get knows(): string[] {
    const names = new Set<string>();
    for (const { joined, left } of this.told) {
      for (const { user } of joined) names.add(user);
      for (const { user } of left) names.delete(user);
    }
    return [...names].sort();
  }
}

export interface Host {
  readonly roster: PresenceRoster;
  readonly store: PresenceStore;
  readonly lease: Lease | undefined;
  readonly client: RedisClient | undefined;
  /** Calls of the store, by name. */
  readonly calls: Record<string, number>;
  join(guest: Guest, name?: string): void;
  leave(guest: Guest, name?: string): void;
  /** Ends without a word, as a relay that is killed does. */
  kill(): void;
}

export interface HostOptions {
  readonly relay?: string;
  readonly redis?: RedisTarget | undefined;
  readonly modes?: Readonly<Record<string, PresenceMode>>;
  readonly timing?: Partial<PresenceTiming>;
  readonly lease?: LeaseTiming;
}

const nothing = (): void => undefined;

/** A relay's part in presence, without the relay. */
export function openHost(options: HostOptions = {}): Host {
  const { redis, relay = "one", modes = { T: "list" }, lease: timing = { life: 600, beat: 100 } } = options;
  let client: RedisClient | undefined;
  let lease: Lease | undefined;
  let store: PresenceStore = new MemoryPresence();
  if (redis !== undefined) {
    client = connectCommands(redis);
    client.on("error", nothing);
    const keys = new Keys();
    lease = new Lease({ redis: client, keys, relay, timing, onTrouble: nothing });
    store = new RedisPresence({ target: redis, keys, redis: client, lease, onTrouble: nothing });
  }
  const calls: Record<string, number> = {};
  const counted = new Proxy(store, {
    get(target, name: keyof PresenceStore) {
      const value = target[name];
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        calls[name] = (calls[name] ?? 0) + 1;
        return (value as (...all: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  const roster = new PresenceRoster({
    store: counted,
    allowed: (name) => modes[name] ?? false,
    timing: { grace: 100, gather: 2, tell: 2, compare: 1000, ...options.timing },
    onTrouble: nothing,
  });
  return {
    roster,
    store,
    lease,
    client,
    calls,
    join: (guest, name = "T") => roster.made(guest.connection, topic(name)),
    leave: (guest, name = "T") => roster.ended(guest.connection, topic(name)),
    kill: () => {
      lease?.stop();
      roster.close();
      client?.disconnect();
    },
  };
}

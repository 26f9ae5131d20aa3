import { BellwireError } from "@bellwire/protocol";
import type { Config } from "../config/config.js";
import { presenceModeOf } from "../relay/features.js";
import { NoticeSender } from "../hooks/notice-sender.js";
import type { Logger } from "../observe/logger.js";
import type { Connection } from "../socket/connection.js";
import { databaseOf, Keys } from "@bellwire/emitter/internal";
import type { RedisSettings } from "../config/redis.js";
import { RedisLog } from "../stores/redis/log.js";
import type { TopicLog } from "../stores/log.js";
import { Lease } from "../redis/lease.js";
import { MemoryPresence } from "../stores/memory/presence.js";
import type { PresenceMode } from "./presence-text.js";
import { RedisPresence } from "../stores/redis/presence.js";
import { PRESENCE_GRACE_MS, PresenceRoster, type PresenceOptions } from "./roster.js";
import type { ConnectionObserver, SubscriptionObserver } from "../socket/observers.js";
import { NoRegistry } from "../stores/notices.js";
import { Notices, type NoticesOptions } from "../notices/notices.js";
import { Unanswered } from "../hooks/unanswered.js";
import { RedisNotices } from "../stores/redis/notices.js";

export interface AttendanceOptions {
  /** Presence and notices are where the log is: in its Redis, over its connection for commands, or in memory. */
  readonly log: TopicLog;
  readonly redis: RedisSettings | undefined;
  /** This relay's id. */
  readonly relay: string;
  /** Which topics have presence; undefined where none has: nothing is kept then. */
  readonly presence: ((topic: string) => false | PresenceMode) | undefined;
  readonly infoOf?: PresenceOptions["infoOf"];
  /** Where notices go; undefined where nobody is told: nothing is kept then. */
  readonly notices: Pick<NoticesOptions, "settings" | "deliver" | "onUndelivered"> | undefined;
  readonly onTrouble: (error: unknown, stage: string) => void;
}

/** Who is there, for clients and for the backend: composes presence and notices, and the lease that both count on. */
export class Attendance {
  readonly presence: PresenceRoster | undefined;
  readonly notices: Notices | undefined;
  readonly #lease: Lease | undefined;

  constructor(options: AttendanceOptions) {
    const { log, redis, relay, presence, infoOf, notices, onTrouble } = options;
    if (presence === undefined && notices === undefined) return;
    const shared = redis !== undefined && log instanceof RedisLog ? { target: redis.target, redis: log.commands } : undefined;
    const keys = new Keys(redis?.prefix, redis === undefined ? 0 : databaseOf(redis.target));
    const on = (stage: string) => (error: unknown) => onTrouble(error, stage);
    const lease = shared && new Lease({ redis: shared.redis, keys, relay, onTrouble: on("lease") });
    this.#lease = lease;
    if (presence !== undefined) {
      const store = shared && lease ? new RedisPresence({ ...shared, keys, lease, onTrouble }) : new MemoryPresence();
      this.presence = new PresenceRoster({
        store,
        allowed: presence,
        onTrouble: on("presence"),
        ...(infoOf === undefined ? {} : { infoOf }),
      });
    }
    if (notices !== undefined) {
      const registry =
        shared && lease ? new RedisNotices({ redis: shared.redis, keys, lease, onTrouble: on("notices") }) : new NoRegistry();
      this.notices = new Notices({ ...notices, registry, onTrouble: on("notices") });
    }
  }

  /** Begins to see who comes. */
  observe(gateway: { readonly observers: ConnectionObserver[] }, subscriptions: { readonly observers: SubscriptionObserver[] }): void {
    if (this.presence !== undefined) subscriptions.observers.push(this.presence);
    if (this.notices === undefined) return;
    gateway.observers.push(this.notices);
    subscriptions.observers.push(this.notices);
  }

  /** To be called when all connections are gone, and before the log closes. What is not told by then is told by another relay. */
  async close(): Promise<void> {
    this.presence?.close();
    await this.notices?.close();
    // Users on their way to another relay are there in the meantime.
    await this.#lease?.close(PRESENCE_GRACE_MS);
  }
}

/** Who is there, with what its notices go out by. */
export type AttendanceToClose = Pick<Attendance, "presence" | "observe" | "close">;

/** What a relay tells its backend and its clients of who is there. */
export function createAttendance(parts: {
  readonly config: Config;
  readonly log: TopicLog;
  readonly relay: string;
  readonly logger: Logger;
}): AttendanceToClose {
  const { config, log, relay, logger } = parts;
  const { notices: settings, secret } = config.hooks;
  const sender = settings && new NoticeSender(settings, secret, config.keys.keys[0]?.key ?? "");
  const attendance = new Attendance({
    log,
    redis: config.redis,
    relay,
    presence: config.topics.some(([, { presence }]) => presence !== false) ? presenceModeOf(config) : undefined,
    infoOf: ({ permit }, { info }) => info ?? permit.info,
    notices: settings &&
      sender && {
        settings,
        deliver: (body) => sender.deliver(body),
        onUndelivered: (error) => logger.warn(`The notices hook at ${sender.address}: ${wordsOf(error)}; it is told again`),
      },
    onTrouble: (error, stage) => logger.redisTrouble(error, stage),
  });
  return {
    presence: attendance.presence,
    observe: (gateway, subscriptions) => attendance.observe(gateway, subscriptions),
    close: async () => {
      await attendance.close();
      await sender?.close();
    },
  };
}

/** What happened, where somebody has said it; what clients may read is less. */
function wordsOf(error: unknown): string {
  return error instanceof Unanswered ? error.detail : (error as Error).message;
}

/** Answers a client. Rejects with `forbidden` where the topic shows nobody, or the client does not watch it. */
export async function askPresence({ presence }: AttendanceToClose, connection: Connection, topic: string): Promise<object> {
  if (presence === undefined) throw new BellwireError("forbidden", "This topic shows nobody's presence");
  return presence.ask(connection, topic);
}

/** Answers a backend. */
export async function listPresence(
  { presence }: AttendanceToClose,
  site: string,
  topic: string,
): Promise<Awaited<ReturnType<NonNullable<Attendance["presence"]>["list"]>>> {
  if (presence === undefined) throw new BellwireError("forbidden", "No topic of this relay has presence: set it in the configuration");
  return presence.list(site, topic);
}

import { BellwireError } from "@bellwire/protocol";
import type { Config } from "./config/config.js";
import { presenceModeOf } from "./features.js";
import { composeHooks } from "./hooks/compose.js";
import type { Hooks } from "./hooks/hooks.js";
import { createHttpHooks } from "./hooks/http-hooks.js";
import type { LocalHooks } from "./hooks/local-hooks.js";
import { NoticeSender } from "./hooks/notice-sender.js";
import type { TopicLog } from "./log/topic-log.js";
import type { Logger } from "./logger.js";
import { Attendance } from "./notices/attendance.js";
import type { Connection } from "./socket/connection.js";
import type { Stats } from "./stats.js";

/** What a relay asks its backend: functions in this process first, then the backends of the configuration. */
export function createHooks(parts: {
  readonly config: Config;
  readonly stats: Stats;
  readonly logger: Logger;
  readonly local: LocalHooks | undefined;
}): Hooks {
  const { config, stats, logger, local } = parts;
  const remote = createHttpHooks(config.hooks, {
    appKey: appKeyOf(config),
    observe: (event, outcome) => stats.countHook(event, outcome),
    warn: (message) => logger.warn(message),
  });
  return local === undefined ? remote : composeHooks(local, remote);
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
  const sender = settings && new NoticeSender(settings, secret, appKeyOf(config));
  const attendance = new Attendance({
    log,
    redis: config.redis,
    relay,
    presence: config.topics.some(([, { presence }]) => presence !== false) ? presenceModeOf(config) : undefined,
    infoOf: ({ permit }, { info }) => info ?? permit.info,
    notices: settings && sender && { settings, deliver: (body) => sender.deliver(body) },
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

function appKeyOf({ keys }: Config): string {
  return keys.keys[0]?.key ?? "";
}

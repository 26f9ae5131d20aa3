import { connectCommands, Keys, databaseOf, type RedisClient } from "@bellwire/emitter/redis";
import { within } from "@bellwire/emitter/time";
import { createEmitter, type Emitter } from "@bellwire/emitter";
import { ConfigError } from "../config/reader.js";
import type { RedisSettings } from "../config/redis.js";
import { httpAddress, type Settings } from "./settings.js";

export type Way = "redis" | "http";

/** An emitter on the way that the settings name, Redis before HTTP. */
export interface Publishing {
  readonly way: Way;
  readonly emitter: Emitter;
  /** Why the connection can't be made, where that is known. */
  trouble(): string | undefined;
  /** How many relays say that they listen to this Redis; undefined where there is none to ask or it does not answer. */
  relays(): Promise<number | undefined>;
  close(): Promise<void>;
}

const ANSWER_MS = 2000;

/** @throws ConfigError where nothing says how to publish */
export function openPublishing(settings: Settings, wanted?: Way): Publishing {
  const way = wanted ?? (settings.redis === undefined ? "http" : "redis");
  return way === "redis" ? overRedis(settings) : overHttp(settings);
}

function overRedis({ redis, logs, dataBytes, enabled }: Settings): Publishing {
  if (redis === undefined) throw new ConfigError("Nothing names a Redis: set REDIS_URL or REDIS_HOST");
  const client = connectCommands(redis.target, { lazyConnect: true });
  let trouble: string | undefined;
  client.on("error", (error: Error) => (trouble = error.message));
  const emitter = createEmitter({
    redis: client,
    prefix: redis.prefix,
    logs,
    enabled,
    maxDataBytes: dataBytes,
    onNoRelay: () => undefined,
  });
  return {
    way: "redis",
    emitter,
    trouble: () => trouble,
    relays: () => countRelays(client, redis).catch(() => undefined),
    close: async () => {
      await emitter.close();
      client.disconnect();
    },
  };
}

function overHttp({ apiUrl, apiKey, dataBytes, enabled }: Settings): Publishing {
  if (apiKey === undefined) {
    throw new ConfigError("Nothing says how to publish: set REDIS_URL, or REALTIME_API_KEY and the relay's REALTIME_PUBLIC_URL");
  }
  const emitter = createEmitter({ url: httpAddress(apiUrl), apiKey, enabled, maxDataBytes: dataBytes });
  return { way: "http", emitter, trouble: () => undefined, relays: async () => undefined, close: () => emitter.close() };
}

/** The relays with a heartbeat in this Redis, database and prefix. */
export function countRelays(client: RedisClient, { target, prefix }: RedisSettings): Promise<number> {
  const key = new Keys(prefix, databaseOf(target)).relays();
  return within(client.zcount(key, Date.now(), "+inf"), ANSWER_MS, "Counting relays");
}

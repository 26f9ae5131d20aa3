import type { LogLimits } from "@bellwire/emitter/redis";
import type { RedisSettings } from "../config/redis.js";
import { createMemoryStores } from "./memory/stores.js";
import { createRedisStores } from "./redis/stores.js";
import type { Stores, StoresListener } from "./stores.js";

export interface StoresOptions {
  /** undefined: in this process's memory. */
  readonly redis: RedisSettings | undefined;
  readonly limits: readonly (readonly [pattern: string, limits: LogLimits])[];
  /** This relay's id, under which it keeps what is its own. */
  readonly relay: string;
  readonly listener: StoresListener;
}

/** The one place that knows which backend it is. */
export function createStores({ redis, limits, relay, listener }: StoresOptions): Stores {
  return redis === undefined ? createMemoryStores({ limits }) : createRedisStores({ redis, limits, relay, listener });
}

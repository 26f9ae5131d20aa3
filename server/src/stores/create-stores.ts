import type { LogLimitsOf } from "@bellwire/emitter/redis";
import type { RedisSettings } from "../config/redis.js";
import { createMemoryStores } from "./memory/stores.js";
import { createRedisStores } from "./redis/stores.js";
import type { Stores, StoresListener } from "./stores.js";

export interface StoresOptions {
  /** undefined: in this process's memory. */
  readonly redis: RedisSettings | undefined;
  /** How much each log keeps. */
  readonly limitsOf: LogLimitsOf;
  /** This relay's id, under which it keeps what is its own. */
  readonly relay: string;
  readonly listener: StoresListener;
}

/** The one place that knows which backend it is. */
export function createStores({ redis, limitsOf, relay, listener }: StoresOptions): Stores {
  return redis === undefined ? createMemoryStores({ limitsOf }) : createRedisStores({ redis, limitsOf, relay, listener });
}

import type { RedisSettings } from "../config/redis.js";
import type { Settings } from "../config/settings.js";
import { createMemoryStores } from "./memory/stores.js";
import { createRedisStores } from "./redis/stores.js";
import type { Stores, StoresListener } from "./stores.js";

export interface StoresOptions {
  /** undefined: in this process's memory. */
  readonly redis: RedisSettings | undefined;
  /** What the configuration says of each site. */
  readonly settings: Settings;
  /** This relay's id, under which it keeps what is its own. */
  readonly relay: string;
  readonly listener: StoresListener;
}

/** The one place that knows which backend it is. */
export function createStores({ redis, ...options }: StoresOptions): Stores {
  return redis === undefined ? createMemoryStores(options) : createRedisStores({ ...options, redis });
}

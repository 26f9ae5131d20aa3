import { BellwireError } from "@bellwire/protocol";
import type { RedisClient } from "@bellwire/emitter/redis";

const LEAST = { redis: 7.0, valkey: 7.2 } as const;

/**
 * Makes sure that the server knows sharded channels and scripts as the log needs them.
 * @throws BellwireError `unsupported` with the remedy
 */
export async function requireVersion(redis: RedisClient): Promise<void> {
  const info = String(await redis.info("server"));
  const problem = versionProblem(info);
  if (problem !== undefined) throw new BellwireError("unsupported", problem);
}

/** What is wrong with a server's version, by its `INFO server`; undefined where nothing is. */
export function versionProblem(info: string): string | undefined {
  const valkey = /^valkey_version:(\d+\.\d+)/m.exec(info)?.[1];
  if (valkey !== undefined) {
    return Number(valkey) >= LEAST.valkey
      ? undefined
      : `Valkey ${valkey} is too old: Bellwire needs Valkey 7.2 or later, or Redis 7.0 or later`;
  }
  const redis = /^redis_version:(\d+\.\d+)/m.exec(info)?.[1];
  if (redis === undefined) return undefined; // a compatible server that does not say: its errors will
  return Number(redis) >= LEAST.redis ? undefined : `Redis ${redis} is too old: upgrade to Redis 7.0 or later, or Valkey 7.2 or later`;
}

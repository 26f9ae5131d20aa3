import { readFileSync } from "node:fs";
import { readRedis, type RedisSettings, type RedisTarget } from "@bellwire/emitter/redis";
import type { FileConfig } from "./file.js";
import { ConfigError, orConfigError, type Environment } from "./reader.js";

export type { RedisSettings } from "@bellwire/emitter/redis";

type FileRedis = NonNullable<FileConfig["redis"]>;

/** Where the log's Redis is; undefined where none is named. The environment wins over the file, value by value. */
export function redisSettings(env: Environment, file: FileRedis = {}): RedisSettings | undefined {
  if (file.sentinels !== undefined && file.name === undefined)
    throw new ConfigError("REALTIME_CONFIG: redis.sentinels needs redis.name, the master's name");
  const tls = file.tls === undefined ? undefined : tlsOptions(file.tls);
  return orConfigError(() => readRedis(env, { ...file, tls }));
}

function tlsOptions(tls: NonNullable<FileRedis["tls"]>): object {
  if (tls === true) return {};
  const read = (name: string, path: string | undefined): object => {
    if (path === undefined) return {};
    try {
      return { [name]: readFileSync(path) };
    } catch (error) {
      throw new ConfigError(`REALTIME_CONFIG: redis.tls.${name}: ${(error as Error).message}`);
    }
  };
  return {
    ...read("ca", tls.ca),
    ...read("cert", tls.cert),
    ...read("key", tls.key),
    ...(tls.servername === undefined ? {} : { servername: tls.servername }),
    ...(tls.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: tls.rejectUnauthorized }),
  };
}

/** Whether another server may take this one's place: with Sentinel, or on a Cluster. */
export function mayFailOver(target: RedisTarget): boolean {
  return typeof target !== "string" && ("nodes" in target || target.sentinels !== undefined);
}

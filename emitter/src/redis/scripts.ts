import { readFileSync } from "node:fs";
import type { Cluster, Redis } from "ioredis";

function load(name: string): string {
  // Both src/redis and dist/redis lie two folders below the package.
  return readFileSync(new URL(`../../lua/${name}.lua`, import.meta.url), "utf8");
}

/** A stream entry as XRANGE gives it; nothing of it is trusted. */
export type RawEntry = readonly [id: string, fields: readonly string[]];

/** An ioredis client that knows the log's scripts; it sends their digests and reloads them after a SCRIPT FLUSH. */
export interface LogCommands {
  bellwireAppend(...keysAndArguments: (string | number)[]): Promise<unknown>;
  bellwireRead(...keysAndArguments: (string | number)[]): Promise<unknown>;
}

/** Teaches a client the log's scripts. */
export function withLogCommands<T extends Redis | Cluster>(redis: T): T & LogCommands {
  const shared = load("log");
  redis.defineCommand("bellwireAppend", { lua: `${shared}\n${load("append")}` });
  redis.defineCommand("bellwireRead", { lua: `${shared}\n${load("read")}`, numberOfKeys: 1 });
  return redis as T & LogCommands;
}

/** An ioredis client that knows the scripts of revocations. */
export interface RevocationCommands {
  bellwireRevoke(...keysAndArguments: (string | number)[]): Promise<unknown>;
  bellwireRevocations(...keysAndArguments: (string | number)[]): Promise<unknown>;
}

/** Teaches a client the scripts of revocations. */
export function withRevocationCommands<T extends Redis | Cluster>(redis: T): T & RevocationCommands {
  redis.defineCommand("bellwireRevoke", { lua: load("revoke"), numberOfKeys: 1 });
  redis.defineCommand("bellwireRevocations", { lua: load("revocations"), numberOfKeys: 1 });
  return redis as T & RevocationCommands;
}

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

/** An ioredis client that knows the script that revokes. */
export interface RevokeCommands {
  bellwireRevoke(...keysAndArguments: (string | number)[]): Promise<unknown>;
}

/** Teaches a client the script that revokes. */
export function withRevokeCommands<T extends Redis | Cluster>(redis: T): T & RevokeCommands {
  redis.defineCommand("bellwireRevoke", { lua: load("revoke"), numberOfKeys: 1 });
  return redis as T & RevokeCommands;
}

/** An ioredis client that knows the scripts of what the server holds for owners. */
export interface HeldCommands {
  bellwireHeldAdd(...keysAndArguments: (string | number)[]): Promise<unknown>;
  bellwireHeldEnd(...keysAndArguments: (string | number)[]): Promise<unknown>;
  bellwireHeldRead(...keysAndArguments: (string | number)[]): Promise<unknown>;
}

/** Teaches a client these scripts. */
export function withHeldCommands<T extends Redis | Cluster>(redis: T): T & HeldCommands {
  const shared = load("held");
  redis.defineCommand("bellwireHeldAdd", { lua: `${shared}\n${load("held-add")}` });
  redis.defineCommand("bellwireHeldEnd", { lua: `${shared}\n${load("held-end")}` });
  redis.defineCommand("bellwireHeldRead", { lua: `${shared}\n${load("held-read")}` });
  return redis as T & HeldCommands;
}

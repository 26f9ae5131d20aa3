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

/** An ioredis client that knows the scripts of presence and of what is told when a relay ends. */
export interface PresenceCommands {
  bellwirePresenceApply(...keysAndArguments: (string | number)[]): Promise<unknown>;
  bellwirePresenceChanges(...keysAndArguments: (string | number)[]): Promise<unknown>;
  bellwirePresenceSnapshot(...keysAndArguments: (string | number)[]): Promise<unknown>;
  bellwirePresenceSweep(...keysAndArguments: (string | number)[]): Promise<unknown>;
  bellwireLease(...keysAndArguments: (string | number)[]): Promise<unknown>;
  bellwireOccupy(...keysAndArguments: (string | number)[]): Promise<unknown>;
  bellwireTake(...keysAndArguments: (string | number)[]): Promise<unknown>;
}

/** Teaches a client the scripts of presence and of what is told when a relay ends. */
export function withPresenceCommands<T extends Redis | Cluster>(redis: T): T & PresenceCommands {
  const shared = load("presence");
  const ofTopic = (name: string): string => `${shared}\n${load(name)}`;
  redis.defineCommand("bellwirePresenceApply", { lua: ofTopic("presence-apply"), numberOfKeys: 4 });
  redis.defineCommand("bellwirePresenceChanges", { lua: ofTopic("presence-changes"), numberOfKeys: 4 });
  redis.defineCommand("bellwirePresenceSnapshot", { lua: ofTopic("presence-snapshot"), numberOfKeys: 3 });
  redis.defineCommand("bellwirePresenceSweep", { lua: ofTopic("presence-sweep"), numberOfKeys: 4 });
  redis.defineCommand("bellwireLease", { lua: load("presence-lease"), numberOfKeys: 1 });
  redis.defineCommand("bellwireOccupy", { lua: load("presence-occupy"), numberOfKeys: 1 });
  redis.defineCommand("bellwireTake", { lua: load("presence-take"), numberOfKeys: 4 });
  return redis as T & PresenceCommands;
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

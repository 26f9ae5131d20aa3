import { readFileSync } from "node:fs";
import type { RedisClient } from "@bellwire/emitter/redis";

function load(name: string): string {
  // Both src/redis and dist/redis lie two folders below the package.
  return readFileSync(new URL(`../../lua/${name}.lua`, import.meta.url), "utf8");
}

/** An ioredis client that knows the script that reads revocations; the one that writes them is the emitter's. */
export interface RevocationCommands {
  bellwireRevocations(...keysAndArguments: (string | number)[]): Promise<unknown>;
}

/** Teaches a client the script that reads revocations. */
export function withRevocationCommands<T extends RedisClient>(redis: T): T & RevocationCommands {
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
export function withPresenceCommands<T extends RedisClient>(redis: T): T & PresenceCommands {
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

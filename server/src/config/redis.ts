import type { RedisTarget } from "@bellwire/emitter/internal";
import type { Reader } from "./reader.js";
import { ConfigError } from "./reader.js";

/** Where the log's Redis is, by the environment; undefined where none is named. */
export function redisTarget(read: Reader): { target: RedisTarget; prefix: string | undefined } | undefined {
  const url = read.url("REDIS_URL", ["redis:", "rediss:"]);
  const host = read.text("REDIS_HOST");
  const port = read.integer("REDIS_PORT", 1, 65_535);
  const db = read.integer("REDIS_DB", 0, 1_000_000);
  const username = read.text("REDIS_USERNAME");
  const password = read.text("REDIS_PASSWORD");
  const prefix = read.text("REDIS_PREFIX");
  if (prefix !== undefined && /[{}\s]/.test(prefix)) throw new ConfigError("REDIS_PREFIX can't hold braces or spaces");
  if (url === undefined && host === undefined) return undefined;
  if (url !== undefined) {
    if (!/^\/?\d*$/.test(url.pathname)) throw new ConfigError(`REDIS_URL must end in a database number or nothing, not "${url.pathname}"`);
    // A variable of its own wins over nothing in the URL, and loses to something in it.
    if (url.pathname.length <= 1 && db !== undefined) url.pathname = `/${db}`;
    if (url.password === "" && password !== undefined) url.password = encodeURIComponent(password);
    if (url.username === "" && username !== undefined) url.username = encodeURIComponent(username);
    return { target: url.href, prefix };
  }
  const target = {
    host: host as string,
    port: port ?? 6379,
    ...(db === undefined ? {} : { db }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
  return { target, prefix };
}

/** A target's address as people write it, without secrets. */
export function redisAddress(target: RedisTarget): string {
  if (typeof target === "string") {
    const url = new URL(target);
    return `${url.hostname}:${url.port || 6379}`;
  }
  if ("nodes" in target) return target.nodes.map(({ host, port }) => `${host}:${port}`).join(", ");
  if (target.sentinels) return `${target.name} by ${target.sentinels.length} sentinels`;
  return `${target.host ?? "127.0.0.1"}:${target.port ?? 6379}`;
}

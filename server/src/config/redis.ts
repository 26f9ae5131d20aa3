import { readFileSync } from "node:fs";
import type { RedisTarget } from "@bellwire/emitter/internal";
import type { FileRedis } from "./file.js";
import { ConfigError, type Reader } from "./reader.js";

export interface RedisSettings {
  readonly target: RedisTarget;
  readonly prefix: string | undefined;
}

/** Where the log's Redis is; undefined where none is named. The environment wins over the file, value by value. */
export function redisSettings(read: Reader, file: FileRedis | undefined): RedisSettings | undefined {
  const url = read.url("REDIS_URL", ["redis:", "rediss:"]) ?? (file?.url === undefined ? undefined : new URL(file.url));
  const host = read.text("REDIS_HOST") ?? file?.host;
  const port = read.integer("REDIS_PORT", 1, 65_535) ?? file?.port;
  const db = read.integer("REDIS_DB", 0, 1_000_000) ?? file?.db;
  const username = read.text("REDIS_USERNAME") ?? file?.username;
  const password = read.text("REDIS_PASSWORD") ?? file?.password;
  const prefix = read.text("REDIS_PREFIX") ?? file?.prefix;
  if (prefix !== undefined && /[{}\s]/.test(prefix)) throw new ConfigError("REDIS_PREFIX can't hold braces or spaces");
  const tls = file?.tls === undefined ? undefined : tlsOptions(file.tls);
  const credentials = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  };
  if (file?.nodes !== undefined) {
    if (db !== undefined && db !== 0) throw new ConfigError("REDIS_DB must be 0 on a Redis Cluster");
    return { target: { nodes: file.nodes, options: credentials }, prefix };
  }
  const database = db === undefined ? {} : { db };
  if (file?.sentinels !== undefined) return { target: sentinelTarget(file, { ...credentials, ...database }), prefix };
  if (url !== undefined) return { target: withVariables(url, { db, username, password }, tls), prefix };
  return host === undefined ? undefined : { target: { host, port: port ?? 6379, ...credentials, ...database }, prefix };
}

function sentinelTarget(file: FileRedis, rest: object): RedisTarget {
  if (file.name === undefined) throw new ConfigError("REALTIME_CONFIG: redis.sentinels needs redis.name, the master's name");
  return {
    sentinels: [...(file.sentinels ?? [])],
    name: file.name,
    ...(file.sentinelPassword === undefined ? {} : { sentinelPassword: file.sentinelPassword }),
    ...rest,
  };
}

function withVariables(
  url: URL,
  { db, username, password }: { db?: number | undefined; username?: string | undefined; password?: string | undefined },
  tls: object | undefined,
): RedisTarget {
  if (!/^\/?\d*$/.test(url.pathname)) throw new ConfigError(`REDIS_URL must end in a database number or nothing, not "${url.pathname}"`);
  // A variable of its own wins over nothing in the URL, and loses to something in it.
  if (url.pathname.length <= 1 && db !== undefined) url.pathname = `/${db}`;
  if (url.password === "" && password !== undefined) url.password = encodeURIComponent(password);
  if (url.username === "" && username !== undefined) url.username = encodeURIComponent(username);
  if (tls === undefined) return url.href;
  return {
    host: url.hostname,
    port: Number(url.port || 6379),
    db: Number(url.pathname.slice(1) || 0),
    ...(url.username === "" ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === "" ? {} : { password: decodeURIComponent(url.password) }),
    tls,
  };
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

/** Whether another server may take this one's place: with Sentinel, or on a Cluster. */
export function mayFailOver(target: RedisTarget): boolean {
  return typeof target !== "string" && ("nodes" in target || target.sentinels !== undefined);
}

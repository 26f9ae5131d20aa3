import type { ClusterOptions, RedisOptions } from "ioredis";

/** A Redis Cluster: some of its nodes, and what all of them share. */
export interface ClusterTarget {
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly options?: RedisOptions;
  /** How the nodes' own addresses are reached from here, where that differs. */
  readonly addresses?: Pick<ClusterOptions, "natMap" | "dnsLookup">;
}

/**
 * Where Redis is: a URL (`redis://`, or `rediss://` for TLS), ioredis options (also for Sentinel: `sentinels` and `name`),
 * or the nodes of a Cluster.
 */
export type RedisTarget = string | RedisOptions | ClusterTarget;

export function isCluster(target: RedisTarget): target is ClusterTarget {
  return typeof target === "object" && "nodes" in target;
}

/** The database number of a target: part of every name that we use in Redis. */
export function databaseOf(target: RedisTarget): number {
  if (typeof target !== "string") return isCluster(target) ? 0 : (target.db ?? 0);
  const path = new URL(target).pathname.slice(1);
  return path === "" ? 0 : Number(path);
}

/**
 * The same with TLS for the Sentinels and for the master that they name, where it has `tls` and says nothing else of them: by itself
 * ioredis uses it for neither, and the password goes to the master in plain text.
 */
export function tlsEverywhere(target: RedisOptions): RedisOptions {
  const { sentinels, tls } = target;
  return sentinels && tls ? { enableTLSForSentinelMode: true, sentinelTLS: tls, ...target } : target;
}

/** A target's address as people write it, without secrets. */
export function redisAddress(target: RedisTarget): string {
  if (typeof target === "string") {
    const url = new URL(target);
    return `${url.hostname}:${url.port || 6379}`;
  }
  if (isCluster(target)) return target.nodes.map(({ host, port }) => `${host}:${port}`).join(", ");
  if (target.sentinels) {
    const sentinels = target.sentinels.map(({ host, port }) => `${host ?? "127.0.0.1"}:${port ?? 26_379}`);
    return `${target.name} by the sentinels ${sentinels.join(", ")}`;
  }
  return target.path ?? `${target.host ?? "127.0.0.1"}:${target.port ?? 6379}`;
}

const REMEDY = "a URL like redis://127.0.0.1:6379/0, ioredis options with a host, the nodes of a Cluster, or an ioredis client";

/**
 * Reads what an application passes for a target. What names no server is refused: ioredis would take localhost for it.
 * @throws TypeError
 */
export function parseTarget(value: unknown): RedisTarget {
  if (typeof value === "string") return parseRedisUrl(value, "redis").href;
  if (typeof value !== "object" || value === null) throw new TypeError(`redis is ${REMEDY}`);
  const { host, path, sentinels, name, nodes } = value as Readonly<Record<string, unknown>>;
  if ("nodes" in value) {
    if (Array.isArray(nodes) && nodes.length > 0 && nodes.every(isAddress)) return value as unknown as ClusterTarget;
    throw new TypeError("redis.nodes is a list of {host, port}, not empty");
  }
  if (sentinels !== undefined && sentinels !== null) {
    if (!Array.isArray(sentinels) || sentinels.length === 0) throw new TypeError("redis.sentinels is a list of {host, port}, not empty");
    if (typeof name !== "string" || name === "") throw new TypeError("redis.sentinels needs redis.name, the master's name");
    return value;
  }
  if (isText(host) || isText(path)) return value;
  const kind = Object.getPrototypeOf(value)?.constructor?.name as string | undefined;
  const what = kind === undefined || kind === "Object" ? `names no host: {${Object.keys(value).join(", ")}}` : `is of the class ${kind}`;
  throw new TypeError(`redis ${what}; it must be ${REMEDY}`);
}

/**
 * @param name what the URL is called in the error, which repeats no password
 * @throws TypeError for what is no URL of a Redis, or names no server
 */
export function parseRedisUrl(text: string, name: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "redis:" && url.protocol !== "rediss:")) {
    throw new TypeError(`${name} must be a URL that begins with redis:// or rediss://, not "${withoutSecrets(text)}"`);
  }
  if (url.hostname === "") throw new TypeError(`${name} names no host: "${withoutSecrets(text)}"`);
  // A password with such a character in it is taken apart there: the rest of it would be path or query, and come into lines of a log.
  if (/@/.test(url.pathname + url.search + url.hash)) {
    throw new TypeError(`${name}: in a password write / as %2F, ? as %3F and # as %23: "${withoutSecrets(text)}"`);
  }
  if (!/^\/?\d*$/.test(url.pathname)) throw new TypeError(`${name} must end in a database number or nothing, not "${url.pathname}"`);
  // ioredis would select another database than the one in our names.
  if (url.searchParams.has("db"))
    throw new TypeError(`${name}: the database number is the URL's path, as in redis://host:6379/2, not ?db=`);
  return url;
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function isAddress(value: unknown): boolean {
  const { host, port } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return isText(host) && typeof port === "number";
}

/** An address that may hold a user and password, fit to be printed. */
function withoutSecrets(address: string): string {
  return address.replace(/^([^/]*\/\/)?.*@/, "$1***@");
}

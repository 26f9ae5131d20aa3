import type { ConnectionOptions } from "node:tls";
import { readInteger, readText, type Environment } from "../environment.js";
import { parseRedisUrl, type RedisTarget } from "./target.js";

export interface RedisSettings {
  readonly target: RedisTarget;
  /** Undefined: the default. */
  readonly prefix: string | undefined;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** What stands in for variables that are absent, and what no variable can say. */
export interface RedisDefaults {
  readonly url?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly db?: number | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly prefix?: string | undefined;
  /** For every connection: to the server, to the Sentinels and the master that they name, to each node. */
  readonly tls?: ConnectionOptions | undefined;
  readonly sentinels?: readonly Address[] | undefined;
  /** The master's name, as the Sentinels know it. */
  readonly name?: string | undefined;
  readonly sentinelPassword?: string | undefined;
  /** False: the Sentinels themselves are spoken to without TLS. */
  readonly sentinelTls?: boolean | undefined;
  readonly nodes?: readonly Address[] | undefined;
}

type Credentials = Pick<RedisDefaults, "username" | "password" | "tls">;

/**
 * Reads where Redis is: `REDIS_URL`, or `REDIS_HOST` and `REDIS_PORT`; `REDIS_USERNAME`, `REDIS_PASSWORD` and `REDIS_DB` fill in what
 * the URL leaves out; `REDIS_PREFIX`. Relays and emitters read one environment by this one function. Undefined where nothing names a
 * Redis.
 * @param defaults lose to the variables, value by value
 * @throws TypeError one line that names the variable
 */
export function readRedis(env: Environment, defaults: RedisDefaults = {}): RedisSettings | undefined {
  const ownHost = readText(env, "REDIS_HOST");
  const url = urlOf(readText(env, "REDIS_URL") ?? (ownHost === undefined ? defaults.url : undefined));
  const host = hostOf(ownHost ?? defaults.host);
  const port = readInteger(env, "REDIS_PORT", 1, 65_535) ?? defaults.port;
  const db = databaseOf(url) ?? readInteger(env, "REDIS_DB", 0, 1_000_000) ?? defaults.db;
  const credentials: Credentials = {
    username: decoded(url?.username) ?? readText(env, "REDIS_USERNAME") ?? defaults.username,
    password: decoded(url?.password) ?? readText(env, "REDIS_PASSWORD") ?? defaults.password,
    tls: defaults.tls ?? (url?.protocol === "rediss:" ? {} : undefined),
  };
  const prefix = prefixOf(readText(env, "REDIS_PREFIX") ?? defaults.prefix);
  const target = targetOf({ ...defaults, ...credentials, host, port, db }, url, defaults.tls !== undefined);
  return target === undefined ? undefined : { target, prefix };
}

function targetOf(settings: RedisDefaults, url: URL | undefined, ownTls: boolean): RedisTarget | undefined {
  const { host, port, db, nodes, sentinels, username, password, tls } = settings;
  const credentials = given({ username, password, tls });
  if (nodes !== undefined) {
    if (db !== undefined && db !== 0) throw new TypeError("REDIS_DB must be 0 on a Redis Cluster");
    return { nodes, options: credentials };
  }
  if (sentinels !== undefined) {
    const { name, sentinelPassword, sentinelTls } = settings;
    const plain = sentinelTls === false ? { sentinelTLS: undefined } : {};
    return { sentinels: [...sentinels], ...given({ name, sentinelPassword, db }), ...credentials, ...plain };
  }
  if (url === undefined) return host === undefined ? undefined : { host, port: port ?? 6379, ...credentials, ...given({ db }) };
  if (ownTls) return { host: bare(url.hostname), port: Number(url.port || 6379), db: db ?? 0, ...credentials };
  if (db !== undefined) url.pathname = `/${db}`;
  url.username = encodeURIComponent(username ?? "");
  url.password = encodeURIComponent(password ?? "");
  return url.href;
}

function urlOf(text: string | undefined): URL | undefined {
  return text === undefined ? undefined : parseRedisUrl(text, "REDIS_URL");
}

function hostOf(host: string | undefined): string | undefined {
  if (host?.includes("://"))
    throw new TypeError("REDIS_HOST is the name of a host: a URL, as for TLS, goes into REDIS_URL, e.g. rediss://host:6379");
  return host;
}

function databaseOf(url: URL | undefined): number | undefined {
  const path = url?.pathname.slice(1) ?? "";
  return path === "" ? undefined : Number(path);
}

function prefixOf(prefix: string | undefined): string | undefined {
  if (prefix !== undefined && /[{}\s]/.test(prefix)) throw new TypeError("REDIS_PREFIX can't hold braces or spaces");
  return prefix;
}

function decoded(text: string | undefined): string | undefined {
  return text === undefined || text === "" ? undefined : decodeURIComponent(text);
}

/** An address in IPv6 without its brackets. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

function given<T extends object>(values: T): { [Name in keyof T]: NonNullable<T[Name]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}

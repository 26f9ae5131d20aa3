import { randomBytes } from "node:crypto";
import { parseKey } from "@bellwire/emitter/publication";
import type { KeySet } from "../auth/keyring.js";
import type { HookSettings } from "../hooks/settings.js";
import { isOrigin, type AllowedOrigins } from "./origins.js";
import type { DrainTiming } from "../relay/drain.js";
import { emptyFile, readConfigFile, type FileConfig, readInlineConfig, type FileInput } from "./file.js";
import { ConfigError, Reader, type Environment } from "./reader.js";
import { redisSettings, type RedisSettings } from "./redis.js";
import { FileSettings, type Settings } from "./settings.js";
import { trustedProxies } from "./trusted-proxies.js";

export interface ApiKey {
  readonly key: string;
  /** The sites it is bound to; undefined: all. */
  readonly sites: readonly string[] | undefined;
}

/** Everything that a relay is told, checked. */
export interface Config {
  readonly enabled: boolean;
  readonly production: boolean;
  readonly port: number;
  readonly host: string | undefined;
  readonly internalPort: number | undefined;
  /** What browsers connect to. */
  readonly publicUrl: URL;
  readonly keys: KeySet;
  /** What each site is and allows. What is said of all of them here holds where that says nothing else. */
  readonly settings: Settings;
  /** Empty: `/v1` is closed. */
  readonly apiKeys: readonly ApiKey[];
  /** undefined: in memory. */
  readonly redis: RedisSettings | undefined;
  readonly origins: AllowedOrigins;
  /** Addresses and networks of proxies; read them with `trustedProxies`. */
  readonly proxies: readonly string[];
  readonly hooks: HookSettings;
  /** Whether every user and session has a personal topic. */
  readonly personal: boolean;
  readonly limits: FileConfig["limits"];
  /** Seconds. */
  readonly ticketLife: number;
  readonly drain: DrainTiming;
  /** What has to be said aloud at the start. */
  readonly warnings: readonly string[];
}

/**
 * Reads the relay's settings.
 * @param inline what the file of REALTIME_CONFIG would say; that file is then not read
 * @throws ConfigError one clear line about the first wrong value
 */
export function readConfig(env: Environment, inline?: FileInput): Config {
  const read = new Reader(env);
  const notices: string[] = [];
  const production = env.NODE_ENV === "production";
  const enabled = read.flag("REALTIME_ENABLED", true);
  const path = read.text("REALTIME_CONFIG");
  const file = inline !== undefined ? readInlineConfig(inline) : path === undefined ? emptyFile() : readConfigFile(path);
  const port = read.integer("REALTIME_WS_PORT", 0, 65_535) ?? 6200;
  const publicUrl = read.url("REALTIME_PUBLIC_URL", ["ws:", "wss:", "http:", "https:"]);
  const keys = { keys: appKeys(read, production && enabled, notices).map((key) => ({ key })) };
  checkSiteKeys(file);
  const allowed = origins(read, production, publicUrl, notices);
  const config: Config = {
    enabled,
    production,
    port,
    host: read.text("REALTIME_WS_HOST"),
    internalPort: read.integer("REALTIME_INTERNAL_PORT", 0, 65_535),
    publicUrl: publicUrl ?? new URL(`ws://localhost:${port}`),
    keys,
    settings: new FileSettings(file, { keys, origins: allowed }),
    personal: file.personal,
    apiKeys: apiKeys(read, file, production, notices),
    redis: redisSettings(env, file.redis),
    origins: allowed,
    proxies: proxies(read),
    hooks: file.hooks,
    limits: file.limits,
    ticketLife: file.tickets.life / 1000,
    drain: file.drain,
    warnings: notices,
  };
  requireLog(read, config, notices);
  refuseForeignCookies(config);
  return config;
}

/** Any page could ask in the name of whoever visits it: the browser sends the cookies, and the backend takes them for a consent. */
function refuseForeignCookies({ origins, hooks: { headers } }: Config): void {
  if (origins === "localhost" || !origins.includes("*")) return;
  if (!headers.some((name) => name === "cookie" || name.startsWith("cookie:"))) return;
  throw new ConfigError(
    "REALTIME_ALLOWED_ORIGINS=* together with hooks.headers that pass cookies on lets any page act for its visitors: name the origins",
  );
}

function proxies(read: Reader): readonly string[] {
  const list = read.list("REALTIME_TRUSTED_PROXIES") ?? [];
  trustedProxies(list);
  return list;
}

function requireLog(read: Reader, { production, redis, enabled }: Config, notices: string[]): void {
  const choice = read.text("REALTIME_LOG");
  if (choice !== undefined && choice !== "memory" && choice !== "redis") {
    throw new ConfigError(`REALTIME_LOG must be memory or redis, not "${choice}"`);
  }
  if (choice === "redis" && redis === undefined) throw new ConfigError("REALTIME_LOG=redis needs REDIS_URL or REDIS_HOST");
  if (choice === "memory" && redis !== undefined) {
    const named =
      read.text("REDIS_URL") !== undefined ? "REDIS_URL" : read.text("REDIS_HOST") !== undefined ? "REDIS_HOST" : "REALTIME_CONFIG";
    notices.push(`REALTIME_LOG=memory is not in force beside ${named}: the log is in that Redis. Remove one of the two`);
  }
  if (production && enabled && redis === undefined && choice !== "memory") {
    throw new ConfigError("Set REDIS_URL or REDIS_HOST; to run one relay in production without Redis, set REALTIME_LOG=memory");
  }
}

function appKeys(read: Reader, required: boolean, notices: string[]): string[] {
  const key = read.text("APP_KEY");
  const previous = read.list("APP_PREVIOUS_KEYS") ?? [];
  if (key === undefined) {
    if (required)
      throw new ConfigError(
        "Set APP_KEY to the key that your backend signs tokens with, at least 32 bytes, e.g. base64:$(openssl rand -base64 32)",
      );
    notices.push("APP_KEY is not set: a random one is in use, and only this process can sign or check tokens");
  }
  const keys = [key ?? `base64:${randomBytes(32).toString("base64")}`, ...previous];
  keys.forEach((text, i) => checkKey(i === 0 ? "APP_KEY" : "APP_PREVIOUS_KEYS", text));
  return keys;
}

function checkSiteKeys(file: FileConfig): void {
  for (const [site, { keys = [] }] of Object.entries(file.sites)) {
    for (const entry of keys) checkKey(`REALTIME_CONFIG: sites.${site}.keys`, typeof entry === "string" ? entry : entry.key);
  }
}

function checkKey(name: string, text: string): void {
  try {
    parseKey(text);
  } catch (error) {
    throw new ConfigError(`${name}: ${(error as Error).message}`);
  }
}

function apiKeys(read: Reader, file: FileConfig, production: boolean, notices: string[]): ApiKey[] {
  const key = read.text("REALTIME_API_KEY");
  const keys: ApiKey[] = file.apiKeys.map((entry) => ({ key: entry.key, sites: entry.sites }));
  for (const [site, { apiKeys: own }] of Object.entries(file.sites)) keys.push(...own.map((key) => ({ key, sites: [site] })));
  if (key !== undefined) {
    if (key.length < 16) throw new ConfigError("REALTIME_API_KEY must be at least 16 characters long");
    keys.unshift({ key, sites: undefined });
  }
  if (keys.length > 0) return keys;
  if (production) {
    notices.push("REALTIME_API_KEY is not set: the HTTP API under /v1 is closed");
    return [];
  }
  const random = randomBytes(24).toString("base64url");
  notices.push(`REALTIME_API_KEY is not set; for this run it is ${random}`);
  return [{ key: random, sites: undefined }];
}

function origins(read: Reader, production: boolean, publicUrl: URL | undefined, notices: string[]): AllowedOrigins {
  const list = read.list("REALTIME_ALLOWED_ORIGINS");
  if (list !== undefined) {
    for (const origin of list) {
      if (!isOrigin(origin)) {
        throw new ConfigError(
          `REALTIME_ALLOWED_ORIGINS: "${origin}" is no origin such as https://example.com (no path, no slash at the end)`,
        );
      }
    }
    return list;
  }
  if (!production) return "localhost";
  if (publicUrl === undefined) {
    notices.push("REALTIME_ALLOWED_ORIGINS and REALTIME_PUBLIC_URL are not set: pages of no origin may connect");
    return [];
  }
  const page = new URL(publicUrl);
  page.protocol = page.protocol.replace("ws", "http");
  return [page.origin];
}

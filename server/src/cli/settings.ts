import type { LogLimits } from "@bellwire/emitter/redis";
import { readConfig, type Config } from "../config/config.js";
import { emptyFile, readConfigFile } from "../config/file.js";
import { ConfigError, Reader, type Environment } from "../config/reader.js";
import { redisSettings, type RedisSettings } from "../config/redis.js";

/** What signs tokens for a site. */
export interface SigningKey {
  readonly key: string;
  readonly kid?: string | undefined;
}

/** What commands have to know of the relay and its Redis: less than a relay itself, so that they run on a backend's machine too. */
export interface Settings {
  readonly enabled: boolean;
  readonly redis: RedisSettings | undefined;
  /** The relays' topics with other limits than the default. */
  readonly logs: readonly (readonly [pattern: string, limits: LogLimits])[];
  /** Of one message, as the relay allows them. */
  readonly dataBytes: number;
  /** Where clients connect, e.g. `ws://localhost:6200`; a path is a prefix. */
  readonly url: URL;
  /** Where `/v1` answers. */
  readonly apiUrl: URL;
  readonly apiKey: string | undefined;
}

/** @throws ConfigError one line about the first wrong value */
export function readSettings(env: Environment): Settings {
  const read = new Reader(env);
  const path = read.text("REALTIME_CONFIG");
  const file = path === undefined ? emptyFile() : readConfigFile(path);
  const port = read.integer("REALTIME_WS_PORT", 0, 65_535) ?? 6200;
  const internalPort = read.integer("REALTIME_INTERNAL_PORT", 0, 65_535);
  const host = hostFromHere(read.text("REALTIME_WS_HOST"));
  const url = read.url("REALTIME_PUBLIC_URL", ["ws:", "wss:", "http:", "https:"]) ?? new URL(`ws://${host}:${port}`);
  return {
    enabled: read.flag("REALTIME_ENABLED", true),
    redis: redisSettings(env, file.redis),
    logs: Object.entries(file.topics).flatMap(([pattern, { log }]) => (log === undefined ? [] : [[pattern, log] as const])),
    dataBytes: file.limits.dataBytes,
    url,
    apiUrl: internalPort === undefined ? url : new URL(`http://${host}:${internalPort}`),
    apiKey: read.text("REALTIME_API_KEY") ?? file.apiKeys.find(({ sites }) => sites === undefined)?.key,
  };
}

/** How a relay that listens on this address is reached from the same machine. */
function hostFromHere(host: string | undefined): string {
  if (host === undefined || host === "0.0.0.0" || host === "::") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}

/** An address to ask over HTTP. @param path such as `/readyz` */
export function httpAddress(url: URL, path: string = ""): string {
  return `${url.protocol.replace("ws", "http")}//${url.host}${url.pathname.replace(/\/+$/, "")}${path}`;
}

/** Where a relay answers a request for events. @param subscribe the items; none: what the token brings */
export function eventsAddress(url: URL, site: string, subscribe: readonly object[]): string {
  const query = subscribe.length === 0 ? "" : `?${new URLSearchParams({ subscribe: JSON.stringify(subscribe) }).toString()}`;
  // A path may be that of Socket.IO's clients in full.
  const base = new URL(url);
  base.pathname = base.pathname.replace(/\/socket\.io\/*$/, "");
  return httpAddress(base, `/v1/sites/${site}/events${query}`);
}

/** An address as people write it, without secrets. */
export function shownAddress({ protocol, host, pathname }: URL): string {
  return `${protocol}//${host}${pathname.replace(/\/+$/, "")}`;
}

/** The key that signs a site's tokens. @throws ConfigError where there is none */
export function signingKey(env: Environment, site: string): SigningKey {
  const common = readKeys(env);
  const keys = common.settings.of(site).keys;
  if (keys !== common.keys) return keys.keys[0] as SigningKey;
  if (new Reader(env).text("APP_KEY") === undefined) {
    throw new ConfigError("APP_KEY is not set, and tokens are signed with the relay's: set it, or let bellwire init write a .env");
  }
  return keys.keys[0] as SigningKey;
}

/** Only the keys count: what else production asks for is the relay's business. */
function readKeys(env: Environment): Pick<Config, "keys" | "settings"> {
  const { APP_KEY, APP_PREVIOUS_KEYS, REALTIME_CONFIG } = env;
  return readConfig({ APP_KEY, APP_PREVIOUS_KEYS, REALTIME_CONFIG });
}

import { limits } from "@bellwire/protocol";
import { readEnabled, readText, type Environment } from "./environment.js";
import { createHttpTransport } from "./http/transport.js";
import { readRedis } from "./redis/settings.js";
import { createRedisTransport, type RedisTransportOptions } from "./redis/transport.js";
import type { OnError } from "./reporter.js";
import type { Transport } from "./transport.js";

/**
 * Where to publish: `redis`, or `url` with `apiKey`, or `transport`. None of them: as the environment says
 * (`REDIS_URL`, or `REDIS_HOST` and its companions; else `REALTIME_PUBLIC_URL` with `REALTIME_API_KEY`).
 */
export interface EmitterOptions {
  /**
   * The relays' Redis: a URL, ioredis options, the nodes of a Cluster, or an ioredis client of your own. Such a client, of any version,
   * says where to connect, and another connection is made; only one that never sends again by itself what was in flight
   * (`autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0, enableOfflineQueue: false`) is used as it is, and left open by `close`.
   */
  readonly redis?: RedisTransportOptions["redis"] | undefined;
  /** With `redis`: the relays' `REDIS_PREFIX`. Default `bellwire:`. */
  readonly prefix?: string | undefined;
  /** With `redis`: the relays' topic patterns with other log limits than the default of 1,000 messages and 24 h; first match wins. */
  readonly logs?: NonNullable<RedisTransportOptions["logs"]>;
  /** With `redis`: told once when no relay is connected to it, so that nobody hears. Default: a console warning. */
  readonly onNoRelay?: (message: string) => void;
  /** A relay's HTTP API, e.g. `http://127.0.0.1:6200`; a path is a prefix. */
  readonly url?: string | undefined;
  /** With `url`: the relay's `REALTIME_API_KEY`. */
  readonly apiKey?: string | undefined;
  /** Any other way to the log. */
  readonly transport?: Transport;
  /** False: every publish resolves `null` and nothing connects. Default true; without a target `REALTIME_ENABLED`. */
  readonly enabled?: boolean | undefined;
  /** Milliseconds until a publish rejects, with all its retries. Default 5000. */
  readonly timeout?: number;
  /** UTF-8 bytes of one message's data. Default 4096; relays have the same bound. */
  readonly maxDataBytes?: number;
  /** Publishes that may be under way at a time; further ones reject with `limit`. Default 10,000. */
  readonly maxPending?: number;
  /** Told of failed publishes that nobody awaited, and once of each time that the connection to Redis fails in the background. Default: a console warning, at most once a minute. */
  readonly onError?: OnError;
}

export interface Settings {
  /** Undefined where publishing is switched off. */
  readonly transport: Transport | undefined;
  readonly timeout: number;
  readonly maxDataBytes: number;
  readonly maxPending: number;
}

const KNOWN = {
  redis: 1,
  prefix: 1,
  logs: 1,
  onNoRelay: 1,
  url: 1,
  apiKey: 1,
  transport: 1,
  enabled: 1,
  timeout: 1,
  maxDataBytes: 1,
  maxPending: 1,
  onError: 1,
} satisfies Record<keyof EmitterOptions, 1>;

/**
 * Checks the options and opens the transport.
 * @param report told of what fails in the background
 * @throws TypeError a sentence that says what is wrong
 */
export function readOptions(options: EmitterOptions, env: Environment, report: (error: Error) => void = () => undefined): Settings {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(KNOWN, name));
  if (unknown !== undefined) throw new TypeError(`createEmitter has no option "${unknown}"; there are ${Object.keys(KNOWN).join(", ")}`);
  const given = (["redis", "url", "transport"] as const).filter((name) => options[name] !== undefined);
  if (given.length > 1) throw new TypeError(`createEmitter takes one of redis, url and transport, not ${given.join(" and ")}`);
  if (options.apiKey !== undefined && options.url === undefined)
    throw new TypeError("createEmitter needs url beside apiKey: a relay's address");
  if (options.enabled !== undefined && typeof options.enabled !== "boolean") throw new TypeError("enabled is true or false");
  if (options.onError !== undefined && typeof options.onError !== "function") throw new TypeError("onError is a function");
  const settings = {
    timeout: positive(options.timeout, "timeout", 5000),
    maxDataBytes: positive(options.maxDataBytes, "maxDataBytes", limits.dataBytes),
    maxPending: positive(options.maxPending, "maxPending", 10_000),
  };
  const enabled = options.enabled ?? (given.length > 0 || readEnabled(env));
  return { ...settings, transport: enabled ? openTransport(options, env, report) : undefined };
}

function openTransport(options: EmitterOptions, env: Environment, report: (error: Error) => void): Transport {
  const { redis, url, apiKey, transport, prefix, logs, onNoRelay } = options;
  if (transport !== undefined) return transport;
  if (url !== undefined) {
    if (apiKey === undefined) throw new TypeError("createEmitter needs apiKey beside url: the relay's REALTIME_API_KEY");
    return createHttpTransport({ url, apiKey });
  }
  const settings = redis === undefined ? readRedis(env) : { target: redis, prefix: undefined };
  if (settings === undefined) return fromPublicUrl(env);
  const own = prefix ?? settings.prefix;
  return createRedisTransport({
    redis: settings.target,
    onError: report,
    ...(own === undefined ? {} : { prefix: own }),
    ...(logs === undefined ? {} : { logs }),
    ...(onNoRelay === undefined ? {} : { onNoRelay }),
  });
}

function fromPublicUrl(env: Environment): Transport {
  const url = readText(env, "REALTIME_PUBLIC_URL");
  const apiKey = readText(env, "REALTIME_API_KEY");
  if (url !== undefined && apiKey !== undefined) return createHttpTransport({ url, apiKey });
  throw new TypeError("createEmitter has nowhere to publish: pass {redis} or {url, apiKey}, or set REDIS_URL, or REALTIME_ENABLED=false");
}

function positive(value: number | undefined, name: string, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value === "number" && value >= 1 && value <= 0x7fffffff) return value;
  throw new TypeError(`${name} is a positive number, not ${String(value)}`);
}

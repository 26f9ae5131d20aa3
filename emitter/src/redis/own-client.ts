import { Cluster, Redis, type RedisOptions } from "ioredis";
import { parseTarget, type ClusterTarget, type RedisTarget } from "./target.js";

/** An ioredis client of the application's: of our copy of ioredis or another one, of this version or an older one. */
export interface IoredisClient {
  readonly options: object;
  readonly status: string;
  defineCommand(name: string, definition: { lua: string; numberOfKeys?: number }): unknown;
  duplicate(): unknown;
}

/** By its shape: the class may be another copy's. */
export function isIoredisClient(value: unknown): value is IoredisClient {
  if (typeof value !== "object" || value === null) return false;
  const { options, status, defineCommand, duplicate } = value as Partial<IoredisClient>;
  const methods = typeof defineCommand === "function" && typeof duplicate === "function";
  return methods && typeof status === "string" && typeof options === "object" && options !== null;
}

/**
 * Does it keep the contract of publishing? It must not send again by itself what was in flight, nor queue what it can't send:
 * ioredis's defaults do both, and a publish whose answer was lost would happen twice.
 */
export function keepsContract(client: IoredisClient): client is Redis | Cluster {
  if (client instanceof Redis) return failsFast(client.options) && client.options.enableOfflineQueue === false;
  if (!(client instanceof Cluster)) return false;
  const { enableOfflineQueue, retryDelayOnFailover, redisOptions } = client.options;
  return enableOfflineQueue === false && retryDelayOnFailover === 0 && failsFast(redisOptions ?? {});
}

function failsFast({ autoResendUnfulfilledCommands, maxRetriesPerRequest }: RedisOptions): boolean {
  return autoResendUnfulfilledCommands === false && maxRetriesPerRequest === 0;
}

/**
 * Where a client is connected, and as whom, for a connection of our own.
 * @throws TypeError for one with a `keyPrefix`, or without an address
 */
export function targetOfClient(client: IoredisClient): RedisTarget {
  const options = client.options as Readonly<Record<string, unknown>>;
  const shared = (options.redisOptions ?? {}) as Readonly<Record<string, unknown>>;
  if (options.keyPrefix || shared.keyPrefix)
    throw new TypeError("Pass Bellwire's prefix as `prefix`; a client with keyPrefix would publish past the relays");
  return parseTarget("nodes" in client ? clusterTarget(client, options, shared) : chosen(options, CONNECTION));
}

function clusterTarget(
  client: object,
  options: Readonly<Record<string, unknown>>,
  shared: Readonly<Record<string, unknown>>,
): ClusterTarget {
  const { startupNodes } = client as { startupNodes?: unknown };
  return {
    nodes: (Array.isArray(startupNodes) ? startupNodes : []).map(nodeAddress),
    options: chosen(shared, NODE),
    addresses: chosen(options, ["natMap", "dnsLookup"]),
  };
}

/** A node as ioredis takes it: a port, a URL or an object. */
function nodeAddress(node: unknown): { host: string; port: number } {
  if (typeof node === "object" && node !== null) {
    const { host = "127.0.0.1", port = 6379 } = node as { host?: string; port?: number | string };
    return { host, port: Number(port) };
  }
  const text = String(node);
  if (/^\d+$/.test(text)) return { host: "127.0.0.1", port: Number(text) };
  const url = new URL(text.includes("://") ? text : `redis://${text}`);
  return { host: url.hostname, port: Number(url.port || 6379) };
}

/** What says as whom a server is spoken to; how it is used is ours. */
const NODE = [
  "username",
  "password",
  "tls",
  "family",
  "keepAlive",
  "noDelay",
  "connectionName",
  "disableClientInfo",
  "clientInfoTag",
  "socketTimeout",
] as const;
/** And where the server is. */
const CONNECTION = [
  ...NODE,
  "host",
  "port",
  "path",
  "db",
  "sentinels",
  "name",
  "sentinelUsername",
  "sentinelPassword",
  "sentinelTLS",
  "enableTLSForSentinelMode",
  "sentinelMaxConnections",
  "updateSentinels",
  "natMap",
  "Connector",
] as const;

function chosen(options: Readonly<Record<string, unknown>>, names: readonly string[]): object {
  return Object.fromEntries(
    names.flatMap((name) => (options[name] === undefined || options[name] === null ? [] : [[name, options[name]]])),
  );
}

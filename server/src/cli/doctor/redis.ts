import { connectCommands, redisAddress, whenReady, type RedisClient } from "@bellwire/emitter/redis";
import { within } from "@bellwire/emitter/time";
import { Cluster, type Redis } from "ioredis";
import type { RedisSettings } from "../../config/redis.js";
import { versionProblem } from "../../redis/version.js";
import { countRelays } from "../publishing.js";
import { fail, ok, warn, type Finding } from "./finding.js";

const CONNECT_MS = 5000;
const ANSWER_MS = 5000;
const PINGS = 9;
/** Milliseconds from which a round trip is worth a word: each publish takes one. */
const SLOW_MS = 20;
/** Seconds of difference between two clocks. Tokens live for a minute, and revocations compare the times of two machines. */
const CLOCK = { differs: 1, wrong: 30 } as const;

/** Looks at the Redis, on a Cluster at each of its masters. @returns whether it can be used at all */
export async function* checkRedis(settings: RedisSettings): AsyncGenerator<Finding, boolean> {
  const address = redisAddress(settings.target);
  let trouble: Error | undefined;
  const once = { retryStrategy: () => null, sentinelRetryStrategy: () => null, clusterRetryStrategy: () => null };
  const client = connectCommands(settings.target, { lazyConnect: true, ...once });
  client.on("error", (error: Error & { lastNodeError?: Error }) => (trouble ??= error.lastNodeError ?? error));
  try {
    await whenReady(client, CONNECT_MS);
    yield ok("redis", `answers at ${address}`);
    for (const node of mastersOf(client)) yield* checkNode(node);
    yield await checkHeartbeats(client, settings);
    return true;
  } catch (error) {
    const reason = (trouble ?? (error as Error)).message;
    yield fail("redis", `${address} can't be used: ${reason}`, remedyFor(reason));
    return false;
  } finally {
    client.disconnect();
  }
}

function mastersOf(client: RedisClient): Redis[] {
  return client instanceof Cluster ? client.nodes("master") : [client];
}

function remedyFor(reason: string): string {
  if (/NOAUTH|WRONGPASS|invalid password|without any password/i.test(reason))
    return "check REDIS_USERNAME and REDIS_PASSWORD, or REDIS_URL";
  if (/NOPERM/.test(reason)) return "allow this user that command, by ACL SETUSER";
  return "start it, or check REDIS_URL, REDIS_HOST and REDIS_PORT";
}

async function* checkNode(redis: Redis): AsyncGenerator<Finding> {
  const info = await within(redis.info(), ANSWER_MS, "INFO");
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1];
  const problem = versionProblem(info);
  const server = serverOf(info);
  if (server.known) {
    yield problem === undefined ? ok("redis version", server.name) : fail("redis version", server.name, problem.replace(/^.*?: /, ""));
  } else {
    yield warn(
      "redis version",
      `${server.name}, which Bellwire is not tested with`,
      "use Redis 7.0 or later, or Valkey 7.2 or later, unless you know that it does the same",
    );
  }
  if (field("role") === "slave") {
    yield fail("redis role", "is a replica: what is published there gets lost", "name the master, or the Sentinels in REALTIME_CONFIG");
  }
  yield checkEviction(field("maxmemory_policy"), Number(field("maxmemory") ?? 0));
  yield await checkRoundTrip(redis);
  yield await checkClock(redis);
}

/** What a server is by its INFO. Those that only speak as Redis does may say a version of Redis too, which is not theirs. */
export function serverOf(info: string): { readonly name: string; readonly known: boolean } {
  const [server = info] = /^# Server\r?\n(?:(?!#).*\r?\n?)*/m.exec(info) ?? [];
  const versions = [...server.matchAll(/^([a-z]+)_version:([^\r\n]+)/gm)].filter(([, name]) => name !== "gcc" && name !== "redis");
  const other = versions.find(([, name]) => name !== "valkey");
  if (other !== undefined) return { name: `${nameOf(other[1] as string)} ${other[2]}`, known: false };
  const valkey = versions[0]?.[2];
  if (valkey !== undefined) return { name: `Valkey ${valkey}`, known: true };
  const redis = /^redis_version:([^\r\n]+)/m.exec(info)?.[1];
  const named = /^server_name:([^\r\n]+)/m.exec(info)?.[1];
  if (redis !== undefined && (named === undefined || named === "redis")) return { name: `Redis ${redis}`, known: true };
  return { name: named === undefined ? "a server that does not say what it is" : `a server that calls itself ${named}`, known: false };
}

function nameOf(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** An evicted log is a log whose past can't be vouched for: everybody there has to refetch. */
function checkEviction(policy: string | undefined, maxmemory: number): Finding {
  if (policy === undefined) return warn("redis eviction", "the server does not say its policy", "make sure that it is noeviction");
  if (policy === "noeviction") return ok("redis eviction", policy);
  const now = maxmemory === 0 ? ", though there is no maxmemory yet that would call for it" : "";
  return warn(
    "redis eviction",
    `${policy} may throw logs away, and their subscribers refetch${now}`,
    "CONFIG SET maxmemory-policy noeviction",
  );
}

async function checkRoundTrip(redis: Redis): Promise<Finding> {
  const times: number[] = [];
  for (let i = 0; i < PINGS; i++) {
    const begun = performance.now();
    await within(redis.ping(), ANSWER_MS, "A ping");
    times.push(performance.now() - begun);
  }
  const median = times.toSorted((a, b) => a - b)[Math.floor(PINGS / 2)] as number;
  const says = `${median.toFixed(1)} ms`;
  return median < SLOW_MS
    ? ok("redis round trip", says)
    : warn("redis round trip", `${says}, and each publish takes one`, "run relays and backends near their Redis");
}

async function checkClock(redis: Redis): Promise<Finding> {
  const before = Date.now();
  const [seconds, micros] = (await within(redis.time(), ANSWER_MS, "TIME")).map(Number) as [number, number];
  const here = (before + Date.now()) / 2000;
  const difference = seconds + micros / 1e6 - here;
  const says = `Redis is ${Math.abs(difference).toFixed(3)} s ${difference < 0 ? "behind" : "ahead of"} this machine`;
  const remedy = "keep both clocks by NTP: tokens and revocations carry times";
  if (Math.abs(difference) >= CLOCK.wrong) return fail("clock", says, remedy);
  return Math.abs(difference) >= CLOCK.differs ? warn("clock", says, remedy) : ok("clock", says);
}

async function checkHeartbeats(client: RedisClient, settings: RedisSettings): Promise<Finding> {
  const count = await countRelays(client, settings);
  if (count > 0) return ok("relays", `${count} with a heartbeat in this Redis, database and prefix`);
  return warn(
    "relays",
    "none has a heartbeat in this Redis, database and prefix: nobody hears what is published there",
    "start one with the same REDIS_* settings",
  );
}

import { backoff } from "../time.js";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { BellwireError } from "@bellwire/protocol";
import { isCluster, tlsEverywhere, type RedisTarget } from "./target.js";

/** The name by which the client knows the script that appends. */
export const APPEND = "bellwireAppend";

export type RedisClient = Redis | Cluster;

// Nothing waits in a queue of unknown length: what can't be sent now fails now, and who asked decides. A command in flight
// when the connection breaks fails at once too; ioredis would send it again, and a publish would happen twice.
const FAIL_FAST = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  connectTimeout: 5000,
  // How long a connection that was given up may take to say goodbye before it is destroyed.
  disconnectTimeout: 500,
  retryStrategy: (attempt: number) => backoff(attempt, { least: 100, most: 2000 }),
  // A demoted master answers with READONLY: connect anew, to whoever is master now.
  reconnectOnError: (error: Error) => error.message.startsWith("READONLY"),
} satisfies RedisOptions;

/**
 * Opens a connection for commands: pipelines what one turn of the event loop sends. Not on a Cluster: there ioredis follows no
 * redirection from inside a pipeline, and each move of a slot would fail what is sent until its table is fresh.
 */
export function connectCommands(target: RedisTarget, overrides: RedisOptions = {}): RedisClient {
  const autoPipeliningIgnoredCommands = [APPEND]; // it is gathered before, in a way that keeps Redis busy
  return connect(target, {
    ...FAIL_FAST,
    enableAutoPipelining: !isCluster(target),
    autoPipeliningIgnoredCommands,
    ...overrides,
  } as RedisOptions);
}

/** Opens a connection for channels only. It subscribes nothing by itself after a reconnect: its owner does, and knows when. */
export function connectSubscriber(target: RedisTarget, overrides: RedisOptions = {}): RedisClient {
  return connect(target, { ...FAIL_FAST, ...overrides } as RedisOptions, true);
}

/**
 * Opens one connection for classic channels, to the master, or to any node of a Cluster: nodes pass these channels on to each
 * other. It ends where it is cut; its owner opens another one. (ioredis's own subscriber of a Cluster would try the next node
 * without a pause for as long as all of them are away.)
 * @param commands tells which nodes a Cluster has now
 */
export function connectClassicSubscriber(target: RedisTarget, commands: RedisClient): Redis {
  // Its owner follows the connection for commands, which watches the Sentinels already.
  const options = { ...FAIL_FAST, retryStrategy: () => null, lazyConnect: true, failoverDetector: false };
  if (!isCluster(target)) return connect(target, options) as Redis;
  const known = commands instanceof Cluster ? commands.nodes("all").map(({ options: { host, port } }) => ({ host, port })) : [];
  const nodes = known.length > 0 ? known : target.nodes;
  const { host, port } = nodes[Math.floor(Math.random() * nodes.length)] ?? {};
  return connect({ ...target.options, ...(host === undefined || port === undefined ? {} : { host, port }) }, options) as Redis;
}

// A demoted master still answers: leave it as soon as the Sentinels announce another one.
const SENTINEL = {
  failoverDetector: true,
  sentinelRetryStrategy: (attempt: number) => Math.min(attempt * 100, 1000),
} satisfies RedisOptions;

// ioredis's overloads refuse its own option types under exactOptionalPropertyTypes; the casts are for them alone.
function connect(target: RedisTarget, options: RedisOptions, sharded = false): RedisClient {
  const client = create(target, options, sharded);
  client.setMaxListeners(0); // each publish that waits for the connection listens for it
  return client;
}

function create(target: RedisTarget, options: RedisOptions, sharded: boolean): RedisClient {
  if (typeof target === "string") return new Redis(target, options as never);
  if (!isCluster(target)) {
    const sentinel = target.sentinels ? SENTINEL : {};
    return new Redis({ ...sentinel, ...tlsEverywhere(target), ...options } as never);
  }
  const cluster = {
    ...target.addresses,
    shardedSubscribers: sharded,
    enableOfflineQueue: false,
    enableAutoPipelining: options.enableAutoPipelining ?? false,
    lazyConnect: options.lazyConnect ?? false,
    // ioredis would send what was in flight again, without a word: a publish would happen twice.
    retryDelayOnFailover: 0,
    redisOptions: { ...target.options, ...options },
  };
  return new Cluster([...target.nodes], cluster as never);
}

/** Resolves once the client can send; rejects with `unavailable` when it is closed or `timeout` milliseconds pass. */
export function whenReady(redis: RedisClient, timeout: number): Promise<void> {
  if (redis.status === "ready") return Promise.resolve();
  return new Promise((resolve, reject) => {
    const settle = (problem?: string): void => {
      clearTimeout(timer);
      redis.off("ready", onReady);
      redis.off("end", onEnd);
      if (problem === undefined) resolve();
      else reject(new BellwireError("unavailable", problem));
    };
    const onReady = (): void => settle();
    const onEnd = (): void => settle("The connection to Redis is closed");
    const timer = setTimeout(settle, timeout, `No connection to Redis within ${timeout} ms`);
    redis.on("ready", onReady);
    redis.on("end", onEnd);
    if (redis.status === "wait")
      redis.connect().catch(() => undefined); // "ready" or the timer tells
    else if (redis.status === "end") onEnd();
  });
}

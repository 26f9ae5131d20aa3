import { Cluster } from "ioredis";
import type { BellwireError, Position } from "@bellwire/protocol";
import type { Command } from "../control/command.js";
import type { Publication, Transport } from "../transport.js";
import { AppendBatch } from "./append-batch.js";
import { RedisCommands } from "./commands.js";
import { connectCommands, type RedisClient } from "./connect.js";
import { redisFailure } from "./failure.js";
import { within } from "../time.js";
import { Keys } from "./keys.js";
import { RedisLink } from "./link.js";
import { logLimitsOf, type LogLimits, type LogLimitsOf } from "./log-limits.js";
import { isIoredisClient, keepsContract, targetOfClient, type IoredisClient } from "./own-client.js";
import { withLogCommands, type LogCommands } from "./scripts.js";
import { databaseOf, parseTarget, redisAddress, type RedisTarget } from "./target.js";

export interface RedisTransportOptions {
  /**
   * Where Redis is, or an ioredis client of your own, of any version and without a `keyPrefix`. One that sends again by itself what
   * was in flight, as ioredis does by default, only says where to connect; otherwise it is used, and left open by `close`.
   */
  readonly redis: RedisTarget | IoredisClient;
  /** The relays' `REDIS_PREFIX`; default `bellwire:`. */
  readonly prefix?: string;
  /** The relays' topic patterns with other log limits than the default, first match wins; or what knows the limits of each site. */
  readonly logs?: readonly (readonly [pattern: string, limits: LogLimits])[] | LogLimitsOf;
  /** Told once of each outage; what a publish or command fails by is its own to tell. Default: nobody. */
  readonly onError?: (error: BellwireError) => void;
  /** True: errors name neither Redis's address nor the cause, for they are passed on to strangers. Default false. */
  readonly discreet?: boolean;
  /** Told once when no relay has a heartbeat in this Redis: then nobody hears what is published. Default: a console warning. */
  readonly onNoRelay?: (message: string) => void;
}

/** Messages that are sent before the turn of the event loop ends. */
const GATHER = 50;

/** Publishes straight into Redis, one script per message, and tells relays of commands over it. */
export function createRedisTransport(options: RedisTransportOptions): Transport {
  return new RedisTransport(options);
}

class RedisTransport implements Transport {
  readonly punctual = true;
  readonly #redis: RedisClient & LogCommands;
  readonly #link: RedisLink;
  readonly #keys: Keys;
  readonly #limitsOf: LogLimitsOf;
  readonly #owned: boolean;
  readonly #onNoRelay: (message: string) => void;
  readonly #commands: RedisCommands;
  /** What this turn of the event loop has published, by log. */
  readonly #open = new Map<string, AppendBatch>();
  /** Messages in it. */
  #gathered = 0;
  #checkedRelays = false;

  constructor(options: RedisTransportOptions) {
    const given = options.redis;
    const own = isIoredisClient(given);
    const target = own ? targetOfClient(given) : parseTarget(given);
    this.#owned = !(own && keepsContract(given));
    const client = own && keepsContract(given) ? given : connectCommands(target, { lazyConnect: true });
    this.#keys = new Keys(options.prefix, databaseOf(target));
    const { logs = [] } = options;
    this.#limitsOf = typeof logs === "function" ? logs : (_site, topic) => logLimitsOf(logs, topic);
    this.#onNoRelay = options.onNoRelay ?? ((message) => console.warn(message));
    const report = (error: BellwireError): void => options.onError?.(error);
    this.#link = new RedisLink({ redis: client, address: options.discreet === true ? undefined : redisAddress(target), report });
    this.#redis = withLogCommands(client);
    this.#commands = new RedisCommands(client, this.#keys, (timeout) => this.#link.ready(timeout));
  }

  append(publication: Publication, timeout: number): Promise<Position> {
    const { site, topic, id, idempotent } = publication;
    const key = this.#keys.log(site, topic);
    let batch = this.#open.get(key);
    if (batch === undefined) {
      const { messages, age } = this.#limitsOf(site, topic);
      batch = new AppendBatch(key, messages, age);
      // What one turn of the event loop publishes to a log is one call of the script: it costs Redis little more than one message.
      if (this.#open.size === 0) process.nextTick(() => this.#flush());
      this.#open.set(key, batch);
    }
    const position = batch.add(publication, idempotent ? this.#keys.idempotency(site, topic, id) : undefined, timeout);
    // So much is under way by then that Redis may as well begin.
    if (++this.#gathered >= GATHER || batch.full) this.#flush();
    return position;
  }

  #flush(): void {
    if (this.#gathered === 0) return;
    const batches = [...this.#open.values()];
    this.#open.clear();
    this.#gathered = 0;
    this.#send(batches).catch((error: unknown) => {
      const failure = redisFailure(error);
      for (const batch of batches) batch.fail(failure);
    });
  }

  async #send(batches: readonly AppendBatch[]): Promise<void> {
    let left = Math.min(...batches.map(({ timeout }) => timeout));
    if (!this.#link.isReady) {
      const deadline = performance.now() + left;
      // Nothing is queued inside ioredis, where it would outlive its caller.
      await this.#link.ready(left);
      left = Math.max(1, Math.floor(deadline - performance.now()));
    }
    const replies = batches.length === 1 || this.#redis instanceof Cluster ? this.#one(batches, left) : this.#piped(batches, left);
    await replies;
    this.#checkRelays();
  }

  /** Calls that go their own ways: to several nodes, perhaps, and each may be redirected. */
  async #one(batches: readonly AppendBatch[], timeout: number): Promise<void> {
    const settle = async (batch: AppendBatch): Promise<void> => {
      try {
        batch.settle(await within(this.#redis.bellwireAppend(...batch.call), timeout, "The publish"));
      } catch (error) {
        batch.fail(redisFailure(error));
      }
    };
    await Promise.all(batches.map(settle));
  }

  /** One write for all. Not ioredis's automatic pipelines: of those only one is under way at a time, and Redis waits meanwhile. */
  async #piped(batches: readonly AppendBatch[], timeout: number): Promise<void> {
    const pipeline = this.#redis.pipeline() as unknown as LogCommands & { exec(): Promise<[Error | null, unknown][]> };
    for (const batch of batches) pipeline.bellwireAppend(...batch.call);
    const replies = await within(pipeline.exec(), timeout, "The publish");
    batches.forEach((batch, i) => {
      const [error, reply] = replies[i] ?? [new Error("Redis left a call unanswered")];
      if (error === null) batch.settle(reply);
      else batch.fail(redisFailure(error));
    });
  }

  async control(command: Command, timeout: number): Promise<void> {
    await this.#commands.send(command, timeout);
    this.#checkRelays();
  }

  /** Once, after the first publish or command: a relay in memory and an emitter on Redis would speak to nobody. */
  #checkRelays(): void {
    if (this.#checkedRelays) return;
    this.#checkedRelays = true;
    this.#redis.zcount(this.#keys.relays(), Date.now(), "+inf").then(
      (count) => {
        if (count === 0)
          this.#onNoRelay("Bellwire: no relay is connected to this Redis, database and prefix; nobody hears what is published or told");
      },
      () => (this.#checkedRelays = false), // only a hint: the next one looks again
    );
  }

  async close(): Promise<void> {
    if (this.#owned) this.#redis.disconnect();
    else this.#link.detach();
  }
}

import { Cluster, Redis } from "ioredis";
import { BellwireError, isEpoch, isOffset, type Position } from "@bellwire/protocol";
import type { Command } from "../control/command.js";
import type { Publication, Transport } from "../transport.js";
import { RedisCommands } from "./commands.js";
import { connectCommands, databaseOf, whenReady, type RedisClient, type RedisTarget } from "./connect.js";
import { redisFailure, within } from "./failure.js";
import { Keys } from "./keys.js";
import { logLimitsOf, type LogLimits } from "./log-limits.js";
import { withLogCommands, type LogCommands } from "./scripts.js";

export interface RedisTransportOptions {
  /** Where Redis is, or an ioredis client of your own (left open by `close`; it can't have a `keyPrefix`). */
  readonly redis: RedisTarget | RedisClient;
  /** The relays' `REDIS_PREFIX`; default `bellwire:`. */
  readonly prefix?: string;
  /** The relays' topic patterns with other log limits than the default, first match wins. */
  readonly logs?: readonly (readonly [pattern: string, limits: LogLimits])[];
  /** Told of connection failures; publishes report their own. Default: nobody. */
  readonly onError?: (error: unknown) => void;
  /** Told once when no relay has a heartbeat in this Redis: then nobody hears what is published. Default: a console warning. */
  readonly onNoRelay?: (message: string) => void;
}

/** Publishes straight into Redis, one script per message, and tells relays of commands over it. */
export function createRedisTransport(options: RedisTransportOptions): Transport {
  return new RedisTransport(options);
}

class RedisTransport implements Transport {
  readonly #redis: RedisClient & LogCommands;
  readonly #keys: Keys;
  readonly #logs: readonly (readonly [string, LogLimits])[];
  readonly #owned: boolean;
  readonly #onNoRelay: (message: string) => void;
  readonly #commands: RedisCommands;
  #checkedRelays = false;

  constructor(options: RedisTransportOptions) {
    const { redis } = options;
    this.#owned = !(redis instanceof Redis || redis instanceof Cluster);
    const client = redis instanceof Redis || redis instanceof Cluster ? redis : connectCommands(redis, { lazyConnect: true });
    if (client.options.keyPrefix)
      throw new TypeError("Pass Bellwire's prefix as `prefix`; a client with keyPrefix would publish past the relays");
    const db = redis instanceof Redis ? (redis.options.db ?? 0) : redis instanceof Cluster ? 0 : databaseOf(redis);
    this.#keys = new Keys(options.prefix, db);
    this.#logs = options.logs ?? [];
    this.#onNoRelay = options.onNoRelay ?? ((message) => console.warn(message));
    // Without a listener ioredis prints every failed attempt to reconnect.
    if (this.#owned) client.on("error", (error) => options.onError?.(error));
    this.#redis = withLogCommands(client);
    this.#commands = new RedisCommands(client, this.#keys);
  }

  async append(publication: Publication, timeout: number): Promise<Position> {
    const deadline = Date.now() + timeout;
    try {
      // Nothing is queued inside ioredis, where it would outlive its caller.
      await whenReady(this.#redis, timeout);
      const reply = await within(this.#send(publication), Math.max(1, deadline - Date.now()), "The publish");
      const position = parseReply(reply);
      this.#checkRelays();
      return position;
    } catch (error) {
      throw redisFailure(error);
    }
  }

  #send({ site, topic, data, id, idempotent, retry, except }: Publication): Promise<unknown> {
    const limits = logLimitsOf(this.#logs, topic);
    const keys = [this.#keys.log(site, topic)];
    if (idempotent) keys.push(this.#keys.idempotency(site, topic, id));
    const exceptText = except === undefined ? "" : JSON.stringify(except);
    return this.#redis.bellwireAppend(keys.length, ...keys, data, id, exceptText, retry ? "1" : "0", limits.messages, limits.age);
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
      () => undefined, // only a hint; the publish itself has reported what is wrong
    );
  }

  async close(): Promise<void> {
    if (this.#owned) this.#redis.disconnect();
  }
}

function parseReply(reply: unknown): Position {
  const [epoch, offsetText] = Array.isArray(reply) ? (reply as unknown[]) : [];
  const offset = Number(offsetText);
  if (!isEpoch(epoch) || !isOffset(offset)) throw new BellwireError("internal", "Redis answered something that is no position");
  return { epoch, offset };
}

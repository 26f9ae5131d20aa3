import { Cluster, type Redis } from "ioredis";
import { within } from "@bellwire/emitter/time";
import type { RedisClient } from "@bellwire/emitter/redis";

const ANSWER_MS = 2000;

/** What @socket.io/redis-adapter gets for its publisher: it forgets the promises of its publishes, so their failures end here. */
export class GuardedPublisher {
  readonly #redis: RedisClient;
  readonly #onError: (error: unknown) => void;

  constructor(redis: RedisClient, onError: (error: unknown) => void) {
    this.#redis = redis;
    this.#onError = onError;
  }

  publish(channel: string, payload: string | Buffer): void {
    this.#redis.publish(channel, payload).catch(this.#onError);
  }

  /** Asked for `PUBSUB NUMSUB` only: how many relays listen on a channel. On a Cluster each node knows of its own. */
  send_command(_name: string, args: readonly string[], answer: (error: unknown, reply?: [string, number]) => void): void {
    const channel = args[1] as string;
    this.#listeners(channel).then(
      (count) => answer(null, [channel, count]),
      (error: unknown) => answer(error),
    );
  }

  async #listeners(channel: string): Promise<number> {
    const nodes: readonly Redis[] = this.#redis instanceof Cluster ? this.#redis.nodes("all") : [this.#redis];
    const counts = await Promise.all(nodes.map((node) => within(node.call("PUBSUB", "NUMSUB", channel), ANSWER_MS, "Counting relays")));
    return counts.reduce((sum: number, reply) => sum + Number((reply as unknown[])[1] ?? 0), 0);
  }

  // Its connection's errors are its owner's to hear.

  on(): void {}

  off(): void {}
}

import { Cluster, type Redis } from "ioredis";
import { within } from "@bellwire/emitter/time";
import type { RedisClient } from "@bellwire/emitter/redis";

const EVERY_MS = 2500;
const ANSWER_WITHIN_MS = 3000;
// A connection that is being made and does not come about: its packets are swallowed somewhere.
const CONNECT_WITHIN_MS = 5000;

/**
 * Finds connections that are open and silent (a network that drops packets, a stopped server) within 6 s, and gives them up: the
 * kernel would take many minutes, and until then whatever is sent waits. Returns how to stop.
 */
export function watchLiveness(client: RedisClient): () => void {
  const connecting = new Map<Redis, number>();
  const look = (): void => {
    for (const redis of client instanceof Cluster ? client.nodes("master") : [client]) {
      if (redis.status === "ready") {
        connecting.delete(redis);
        within(redis.ping(), ANSWER_WITHIN_MS, "A ping").catch(() => {
          if (redis.status === "ready") redis.disconnect(true);
        });
      } else if (redis.status === "connect" || redis.status === "connecting") {
        const since = connecting.get(redis) ?? Date.now();
        connecting.set(redis, since);
        if (Date.now() - since < CONNECT_WITHIN_MS) continue;
        connecting.delete(redis);
        redis.disconnect(true);
      } else connecting.delete(redis);
    }
  };
  const timer = setInterval(look, EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

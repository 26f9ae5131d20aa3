import { databaseOf, Keys, redisAddress } from "@bellwire/emitter/redis";
import { mayFailOver, type RedisSettings } from "../../config/redis.js";
import type { Settings } from "../../config/settings.js";
import { Lease } from "../../redis/lease.js";
import { PRESENCE_GRACE_MS } from "../presence.js";
import type { Stores, StoresListener } from "../stores.js";
import { RedisBus } from "./bus.js";
import { RedisHeldStore } from "./held.js";
import { RedisLog } from "./log.js";
import { RedisNotices } from "./notices.js";
import { RedisPresence } from "./presence.js";
import { RedisRevocations } from "./revocations.js";

export interface RedisStoresOptions {
  readonly redis: RedisSettings;
  readonly settings: Settings;
  readonly relay: string;
  readonly listener: StoresListener;
}

/** The stores of relays that share a Redis. One connection for commands serves all of them: they come back together. */
export function createRedisStores({ redis: { target, prefix }, settings, relay, listener }: RedisStoresOptions): Stores {
  const trouble = (stage: string) => (error: unknown) => listener.trouble(error, stage);
  const log = new RedisLog({
    target,
    prefix,
    limitsOf: (site, topic) => settings.of(site).topic(topic).log,
    relay,
    onError: (error, stage) => listener.trouble(error, stage),
    onUp: () => listener.up(redisAddress(target)),
    onFatal: (message) => listener.fatal(message),
  });
  const redis = log.commands;
  const keys = new Keys(prefix, databaseOf(target));
  const lease = new Lease({ redis, keys, relay, onTrouble: trouble("lease") });
  const bus = new RedisBus({ target, keys, commands: redis, onError: trouble("control") });
  return {
    log,
    bus,
    revocations: new RedisRevocations(redis, keys),
    held: new RedisHeldStore({ redis, keys }),
    presence: new RedisPresence({ target, keys, redis, lease, onTrouble: (error, stage) => listener.trouble(error, stage) }),
    notices: new RedisNotices({ redis, keys, lease, onTrouble: trouble("notices") }),
    settings,
    shared: true,
    mayFailOver: mayFailOver(target),
    close: async () => {
      await lease.close(PRESENCE_GRACE_MS);
      bus.close();
      await log.close();
    },
  };
}

import type { Redis } from "ioredis";
import { sleep } from "../random.js";
import { logKey } from "../stores/entries.js";
import type { World } from "../world.js";
import { single, type Fault } from "./fault.js";

export const flushAll: Fault = {
  kind: "FLUSHALL",
  when: "Redis is flushed",
  store: "single",
  breaks: "redis",
  short: [300, 1000],
  full: [300, 3000],
  keepsSockets: true,
  async start(context) {
    const flush = (): Promise<unknown> => single(context).with((redis) => redis.flushall());
    await sleep(context.random.integer(0, 200));
    await flush();
    return async () => {
      if (context.random.chance(0.3)) await flush();
    };
  },
};

export const scriptFlush: Fault = {
  kind: "SCRIPT FLUSH",
  when: "Redis forgets its scripts",
  store: "single",
  breaks: "redis",
  short: [300, 1000],
  full: [300, 3000],
  keepsSockets: true,
  async start(context) {
    const flush = (): Promise<unknown> =>
      single(context).with((redis) => redis.call("SCRIPT", "FLUSH", context.random.pick(["SYNC", "ASYNC"])));
    await flush();
    return async () => void (await flush());
  },
};

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info("memory"))?.[1]);
}

export const memoryFull: Fault = {
  kind: "out of memory, noeviction",
  when: "Redis is out of memory and takes no writes",
  store: "single",
  breaks: "redis",
  short: [1500, 3000],
  full: [1500, 15_000],
  keepsSockets: true,
  async start(context) {
    const store = single(context);
    await store.with(async (redis) => {
      await redis.config("SET", "maxmemory-policy", "noeviction");
      await redis.config("SET", "maxmemory", Math.floor((await usedMemory(redis)) * 0.9));
    });
    return async () => void (await store.with((redis) => redis.config("SET", "maxmemory", 0)));
  },
};

export const memoryEvicts: Fault = {
  kind: "out of memory, allkeys-lru",
  when: "Redis is out of memory and evicts logs",
  store: "single",
  breaks: "redis",
  short: [1500, 3000],
  full: [1500, 10_000],
  keepsSockets: true,
  async start(context) {
    const store = single(context);
    await sleep(context.duration / 2); // so that quiet logs have something to lose
    await store.with(async (redis) => {
      await redis.config("SET", "maxmemory-policy", "allkeys-lru");
      await redis.config("SET", "maxmemory", (await usedMemory(redis)) + 200_000);
      const filler = "x".repeat(20_000);
      // Until some log is gone, and a little further.
      for (let i = 0, gone = 0; i < 5000 && gone < 20; i++) {
        await redis.set(`filler ${i}`, filler);
        if (gone > 0 || (i % 20 === 0 && (await missingLogs(redis, context.world)) > 0)) gone++;
      }
    });
    return () =>
      store.with(async (redis) => {
        await redis.config("SET", "maxmemory", 0);
        await redis.config("SET", "maxmemory-policy", "noeviction");
        const fillers = await redis.keys("filler *");
        if (fillers.length > 0) await redis.del(fillers);
      });
  },
};

async function missingLogs(redis: Redis, { plan }: World): Promise<number> {
  const names = plan.sites.flatMap((site) => [...plan.busy, ...plan.quiet].map((topic) => logKey(site, topic)));
  return names.length - (await redis.exists(...names));
}

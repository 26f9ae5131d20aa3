import type { Redis } from "ioredis";
import { sleep, type Random } from "../random.js";
import { logKey } from "../stores/entries.js";
import type { World } from "../world.js";
import { single, type Fault } from "./fault.js";

/** Somebody writes whatever they like into every channel and key that belongs to the installation. No relay may end, or fall silent, by it. */
export const garbage: Fault = {
  kind: "garbage in Redis",
  when: "garbage is written into the channels and keys that relays read",
  store: "single",
  breaks: "redis",
  short: [2000, 3000],
  full: [2000, 10_000],
  keepsSockets: true,
  async start(context) {
    const { world, random, duration } = context;
    const store = single(context);
    const end = Date.now() + duration - 200;
    await store.with(async (redis) => {
      while (Date.now() < end) {
        await (random.chance(0.7) ? spoilChannel(redis, world, random) : spoilKey(redis, world, random));
        await sleep(random.integer(0, 10));
      }
    });
    // What is not a log and stays broken would be the next test's trouble: relays write it anew.
    return () => store.with(async (redis) => void (await redis.del("bellwire:0:relays")));
  },
};

async function spoilChannel(redis: Redis, world: World, random: Random): Promise<void> {
  const sharded = (await redis.call("PUBSUB", "SHARDCHANNELS")) as string[];
  const plain = (await redis.call("PUBSUB", "CHANNELS")) as string[];
  const site = random.pick(world.plan.sites);
  const log = logKey(site, random.pick([...world.plan.busy, ...world.plan.quiet]));
  const channel = random.pick([log, ...random.some(sharded, 3), ...random.some(plain, 3)]);
  const payload = random.chance(0.5) ? await spoiledPayload(redis, channel, random) : noise(random);
  await redis.call(plain.includes(channel) ? "PUBLISH" : "SPUBLISH", channel, payload);
}

/** A payload that was, or is to come, with a part cut off or something else in it. */
async function spoiledPayload(redis: Redis, key: string, random: Random): Promise<string> {
  // Of entries that were published: garbage may have been appended behind them.
  const entries = await redis.xrevrange(key, "+", "-", "COUNT", 50).catch(() => []);
  const newest = entries.find(([, fields]) => /^[0-9a-f]{40}$/.test(fields[fields.indexOf("r") + 1] ?? ""));
  const [epoch, offset] = (newest?.[0] ?? "1-1").split("-") as [string, string];
  const ahead = random.pick([-1, 0, 1, 2, 1000, 2 ** 40]);
  // A message to come in full would be no garbage but a forgery, and whoever may write here could publish it as well.
  const broken = ["", "{", "null", "5", '"x"', "[1]", '{"n":', "[".repeat(20_000)];
  const lines = [
    random.chance(0.8) ? epoch : random.pick(["", "x", "-1", "9".repeat(40), String(Number(epoch) + 1)]),
    random.chance(0.8) ? String(Number(offset) + ahead) : random.pick(["", "NaN", "1e9", "0", "9".repeat(17), "-5"]),
    random.chance(0.8) ? String(Date.now()) : random.pick(["", "soon", "1e400"]),
    "id",
    random.chance(0.8) ? "" : random.pick(["{", "[1]", "null", '{"user":5}', '{"user":{}}']),
    random.pick(ahead >= 1 ? broken : [...broken, "[]", `{"__proto__":{"n":1}}`]),
  ];
  const text = lines.join("\n");
  return random.chance(0.3) ? text.slice(0, random.integer(0, text.length - 1)) : text;
}

function noise(random: Random): Buffer {
  if (random.chance(0.02)) return Buffer.alloc(5_000_000, 120);
  if (random.chance(0.3))
    return Buffer.from(random.pick(["", "\n", "\n\n\n\n\n", "{}", "[]", "null", "\u0000", "x".repeat(70_000), "1\n1\n1\n1\n\n{}"]));
  return Buffer.from(Array.from({ length: random.integer(1, 200) }, () => random.integer(0, 255)));
}

async function spoilKey(redis: Redis, world: World, random: Random): Promise<void> {
  const own = (await redis.keys("*")).filter((key) => !key.includes("filler"));
  const log = logKey(random.pick(world.plan.sites), random.pick([...world.plan.busy, ...world.plan.quiet]));
  const key = random.chance(0.5) || own.length === 0 ? log : random.pick(own);
  const [newest] = await redis.xrevrange(key, "+", "-", "COUNT", 1).catch(() => []);
  const [epoch, offset] = (newest?.[0] ?? "1-1").split("-") as [string, string];
  const next = `${epoch}-${Number(offset) + 1}`;
  const replace = (write: () => Promise<unknown>) => async (): Promise<void> => {
    await redis.del(key);
    await write();
  };
  const spoil = random.pick<() => Promise<unknown>>([
    replace(() => redis.set(key, noise(random))),
    replace(() => redis.lpush(key, noise(random))),
    replace(() => redis.hset(key, "x", noise(random))),
    replace(() => redis.zadd(key, 1, noise(random))),
    replace(() => redis.xadd(key, "5-5", "nonsense", noise(random))),
    replace(() => redis.xadd(key, "18446744073709551614-1", "nonsense", "x")),
    () => redis.del(key),
    () => redis.xadd(key, next, "nonsense", noise(random)),
    () => redis.xadd(key, next, "t", "x", "i", "", "x", "{", "r", "", "d", noise(random)),
    () => redis.call("XTRIM", key, "MAXLEN", "=", "1"),
    () => redis.call("XDEL", key, next, `${epoch}-${offset}`),
    () => redis.pexpire(key, 1),
  ]);
  await spoil().catch(() => undefined); // a key of another kind: that is garbage enough
}

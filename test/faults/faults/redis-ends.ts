import { sleep } from "../random.js";
import { single, type Fault, type FaultContext, type Stop } from "./fault.js";

/** Kills Redis and starts it again over whatever it left on the disk. Meanwhile every relay has to say that it is degraded. */
async function kill(context: FaultContext): Promise<Stop> {
  const { redis } = single(context);
  await redis.kill("SIGKILL");
  const told = context.alone ? requireDegraded(context) : Promise.resolve();
  return async () => {
    await told;
    await redis.run();
  };
}

async function requireDegraded({ world, duration }: FaultContext): Promise<void> {
  const before = Date.now() + duration - 100;
  await Promise.all(
    world.relays.map(async ({ process }) => {
      let last;
      while (Date.now() < before) {
        last = await process.readiness();
        if (last?.ok === true && last.status === "degraded") return;
        await sleep(50);
      }
      world.complaints.push(`without Redis /readyz said ${JSON.stringify(last)} and not degraded`);
    }),
  );
}

export const redisKill: Fault = {
  kind: "Redis SIGKILL, nothing kept",
  when: "Redis is killed and comes back empty",
  store: "plain",
  breaks: "redis",
  short: [800, 2500],
  full: [800, 20_000],
  keepsSockets: true,
  start: kill,
};

export const redisSnapshot: Fault = {
  kind: "Redis SIGKILL, old snapshot",
  when: "Redis is killed and comes back with an old snapshot, and publishing goes on from there",
  store: "plain",
  breaks: "redis",
  short: [2500, 3500],
  full: [2500, 20_000],
  keepsSockets: true,
  async start(context) {
    await single(context).with((redis) => redis.save());
    // What comes now is forgotten.
    await sleep(1500);
    return kill({ ...context, duration: context.duration - 1500 });
  },
};

export const redisAppendOnly: Fault = {
  kind: "Redis SIGKILL, append-only file",
  when: "Redis is killed and comes back with its append-only file",
  store: "append-only",
  breaks: "redis",
  short: [800, 2500],
  full: [800, 20_000],
  keepsSockets: true,
  start: kill,
};

export const redisStop: Fault = {
  kind: "Redis SIGSTOP",
  when: "Redis is stopped for a while and goes on",
  store: "single",
  breaks: "redis",
  short: [4000, 6000],
  full: [15_000, 15_000],
  keepsSockets: true,
  async start(context) {
    const { redis } = single(context);
    redis.signal("SIGSTOP");
    return () => redis.signal("SIGCONT");
  },
};

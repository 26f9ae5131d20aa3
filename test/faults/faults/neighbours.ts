import { NeighbourStore } from "../stores/neighbour.js";
import { World } from "../world.js";
import { single, type Fault, type FaultContext } from "./fault.js";

async function openNeighbour(context: FaultContext, db: number, prefix: string): Promise<World> {
  const { world, random } = context;
  const plan = { ...world.plan, clientsPerSite: 1 };
  return World.open({ store: new NeighbourStore(single(context), db, prefix), random: random.fork(), plan, relays: 1 });
}

/**
 * Two other installations live in the same Redis, with the same sites and topics: one under another database number, one under
 * another prefix. One of them flushes its database. Each side is judged, and a message of one that reaches another is foreign.
 */
export const neighbours: Fault = {
  kind: "neighbours in Redis",
  when: "other applications use the same Redis under another database and prefix",
  store: "single",
  breaks: "redis",
  short: [1500, 2500],
  full: [2000, 10_000],
  keepsSockets: true,
  async start(context) {
    const others = await Promise.all([
      openNeighbour(context, 1, "bellwire:"),
      openNeighbour(context, 0, "other:"),
      openNeighbour(context, 2, "third:"),
    ]);
    for (const other of others) void other.publishers.work(15);
    const flushed = others[0] as World;
    const from = Date.now();
    return async () => {
      await single(context).with(async (redis) => {
        await redis.select(1);
        await redis.flushdb();
      });
      flushed.faults.push({ kind: "FLUSHDB", from, to: Date.now() });
      await Promise.all(others.map((other) => judge(other, context.world)));
    };
  },
};

async function judge(other: World, world: World): Promise<void> {
  other.publishers.rest();
  await other.settle();
  await other.publishers.all(other.plan.busy);
  await other.settle();
  const { violations, contradictions } = await other.verdict(true);
  for (const { rule, client, topic, story } of violations) world.complaints.push(`a neighbour: ${rule}: ${client}, ${topic}: ${story}`);
  world.complaints.push(...contradictions, ...other.complaints, ...other.ledger.complaints);
  await other.close();
}

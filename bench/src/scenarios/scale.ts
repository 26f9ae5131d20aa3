import type { Bench, Measured, Scenario } from "../bench.js";
import type { ClientPlan } from "../load/plan.js";
import { sleep } from "../measure/clock.js";
import type { Peer } from "../peers/peer.js";
import { show } from "../results/numbers.js";
import type { Outcome } from "../results/outcome.js";
import { atMost } from "../results/targets.js";
import { between, Stage } from "../stage.js";
import { peerNamed, titlesOf } from "./titles.js";

const RATE = 1000;
const SUBSCRIBERS = 20;
const SIZES = [1, 2, 4];

export const scale: Scenario = { name: "scale", run };

async function run(bench: Bench): Promise<Outcome> {
  const peers = bench.peers("bellwire", "socket-io");
  const variants = peers.flatMap(({ name }) => SIZES.map((size) => `${name} ${size}`));
  const samples = await bench.alternate(variants, (variant) => {
    const [name, size] = variant.split(" ") as [string, string];
    return measureScale(bench, peerNamed(peers, name), Number(size));
  });
  const titleOf = titlesOf(peers);
  const growth = (name: string): number => samples.ratio("totalUs", `${name} 4`, `${name} 1`);
  return {
    title: "Scale: more relays",
    setup: `1, 2 and 4 relays on one Redis; ${SUBSCRIBERS} subscribers, all on the first relay; ${RATE} messages a second. CPU beyond what the same processes use idle, over all relays and Redis, for each publish. Then the same subscribers spread over all relays.`,
    tables: [
      {
        columns: ["", "relays", "all CPU us per publish", "first relay", "all other relays", "Redis", "spread: all CPU us per publish"],
        rows: samples.variants.map((variant) => {
          const [name, size] = variant.split(" ") as [string, string];
          return [
            titleOf(name),
            size,
            ...["totalUs", "firstUs", "othersUs", "redisUs", "spreadUs"].map((metric) => show(samples.median(variant, metric))),
          ];
        }),
      },
    ],
    targets: [atMost("Cost per publish independent of relays without interest: 4 relays at most 1.1x of one", growth("bellwire"), 1.1)],
    plot: {
      kind: "lines",
      title: "Scale: CPU of all relays and Redis per publish, subscribers on one relay",
      unit: "us per publish",
      across: "relays",
      lines: peers.map(({ name, title }) => ({
        label: title,
        points: SIZES.map((size) => [size, samples.median(`${name} ${size}`, "totalUs")] as const),
      })),
    },
    notes: [`Bare Socket.IO: ${show(growth("socket-io"))}x from one relay to four.`],
  };
}

interface Cost {
  readonly relays: readonly number[];
  readonly redis: number;
}

async function measureScale(bench: Bench, peer: Peer, size: number): Promise<Measured> {
  await using stage = await Stage.start(peer, { relays: size, profiles: bench.profiles });
  const wishing = (topic: string): ClientPlan[] => Array.from({ length: SUBSCRIBERS }, () => ({ wishes: [{ topic }] }));
  await stage.open(wishing("together"));
  for (const [i, relay] of stage.relays.entries())
    await stage.open(
      wishing("apart").filter((_, k) => k % size === i),
      { relay },
    );
  await sleep(bench.size(2000, 500));
  const span = bench.size(6000, 1500);
  const calm = await stage.mark();
  await sleep(span);
  const idle = between(calm, await stage.mark());
  const publishing = async (topic: string): Promise<Cost> => {
    await stage.publish({ target: { topic }, pace: { rate: RATE } });
    await sleep(bench.size(2000, 500));
    const before = await stage.mark();
    await sleep(span);
    const busy = between(before, await stage.mark());
    await stage.publisher.call("stop");
    const each = (pid: number): number => (busy.cpu(pid) - idle.cpu(pid) * (busy.seconds / idle.seconds)) / (busy.seconds * RATE);
    return { relays: stage.relays.map(({ pid }) => each(pid)), redis: each(stage.redis.pid) };
  };
  const together = await publishing("together");
  const apart = await publishing("apart");
  const total = ({ relays, redis }: Cost): number => relays.reduce((sum, cost) => sum + cost, redis);
  const [first = Number.NaN, ...others] = together.relays;
  return {
    figures: {
      totalUs: total(together),
      firstUs: first,
      othersUs: others.reduce((sum, cost) => sum + cost, 0),
      redisUs: together.redis,
      spreadUs: total(apart),
    },
  };
}

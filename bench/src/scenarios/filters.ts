import type { Bench, Measured, Scenario } from "../bench.js";
import type { ClientPlan } from "../load/plan.js";
import { sleep } from "../measure/clock.js";
import type { Peer } from "../peers/peer.js";
import { show } from "../results/numbers.js";
import type { Outcome } from "../results/outcome.js";
import { atMost } from "../results/targets.js";
import { between, Stage } from "../stage.js";
import { peerNamed } from "./titles.js";

const TOPIC = "Contact_Updated_Topic";
const RATE = 2000;
const CONNECTIONS = 100;

export const filters: Scenario = { name: "filters", run };

async function run(bench: Bench): Promise<Outcome> {
  const peers = bench.peers("bellwire", "socket-io");
  const sizes = bench.quick ? [1, 10_000] : [1, 100, 10_000, 100_000];
  const variants = peers.flatMap(({ name }) => sizes.map((size) => `${name} ${size}`));
  const samples = await bench.alternate(variants, (variant) => {
    const [name, size] = variant.split(" ") as [string, string];
    return measureFilters(bench, peerNamed(peers, name), Number(size));
  });
  const growth = (name: string): number => samples.ratio("relayUs", `${name} ${sizes.at(-1)}`, `${name} ${sizes[0]}`);
  return {
    title: "Filters: from one to many on one topic",
    setup: `${CONNECTIONS} connections share the filters; ${RATE} messages a second, each of which matches exactly one of them, so that every publish is one delivery.`,
    tables: [
      {
        columns: ["", "filters", "relay us per publish", "Redis us per publish", "relay heap, MB", "delivered"],
        rows: samples.variants.map((variant) => {
          const [name, size] = variant.split(" ") as [string, string];
          const shown = (metric: string): string => show(samples.median(variant, metric));
          return [
            peerNamed(peers, name).title,
            show(Number(size)),
            shown("relayUs"),
            shown("redisUs"),
            shown("heap"),
            `${show(samples.median(variant, "delivered") * 100)}%`,
          ];
        }),
      },
    ],
    targets: [atMost(`Cost per publish at ${show(sizes.at(-1) as number)} filters at most 1.3x that at 1`, growth("bellwire"), 1.3)],
    plot: {
      kind: "lines",
      title: "Filters: relay CPU per publish",
      unit: "us per publish",
      across: "distinct filters",
      lines: peers.map(({ name, title }) => ({
        label: title,
        points: sizes.map((size) => [size, samples.median(`${name} ${size}`, "relayUs")] as const),
      })),
    },
    notes: [`Bare Socket.IO with a room for each filter: ${show(growth("socket-io"))}x over the same range.`],
  };
}

async function measureFilters(bench: Bench, peer: Peer, size: number): Promise<Measured> {
  await using stage = await Stage.start(peer, { profiles: bench.profiles });
  await stage.open(shareFilters(size), { concurrency: 10 });
  await stage.publish({ target: { topic: TOPIC, ids: size }, pace: { rate: RATE } });
  await sleep(bench.size(3000, 500));
  const before = await stage.mark();
  await sleep(bench.size(8000, 1500));
  const after = await stage.mark();
  const end = await stage.settle((sent) => sent);
  const { received, cpu } = between(before, after);
  const heap = await stage.relay.worker?.call<{ heap: number }>("collect");
  return {
    figures: {
      relayUs: cpu(stage.relay.pid) / received,
      redisUs: cpu(stage.redis.pid) / received,
      heap: (heap?.heap ?? Number.NaN) / 1e6,
      delivered: end.mark.received / end.sent,
    },
  };
}

function shareFilters(size: number): ClientPlan[] {
  return Array.from({ length: CONNECTIONS }, (_, i) => {
    const count = Math.ceil((size - i) / CONNECTIONS);
    return { wishes: Array.from({ length: Math.max(0, count) }, (_wish, k) => ({ topic: TOPIC, id: i + k * CONNECTIONS })) };
  });
}

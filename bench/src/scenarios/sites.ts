import type { Bench, Measured, Scenario } from "../bench.js";
import { sleep } from "../measure/clock.js";
import type { Peer } from "../peers/peer.js";
import { siteName } from "../publisher/plan.js";
import { show } from "../results/numbers.js";
import type { Outcome } from "../results/outcome.js";
import { atMost } from "../results/targets.js";
import { between, Stage } from "../stage.js";
import { peerNamed, titlesOf } from "./titles.js";

const TOPIC = "news";
const RATE = 500;

export const sites: Scenario = { name: "sites", run };

async function run(bench: Bench): Promise<Outcome> {
  const peers = bench.peers("bellwire", "socket-io");
  const sizes = bench.quick ? [10, 500] : [10, 100, 1000, 10_000];
  const variants = peers.flatMap(({ name }) => sizes.map((size) => `${name} ${size}`));
  const samples = await bench.alternate(variants, (variant) => {
    const [name, size] = variant.split(" ") as [string, string];
    return measureSites(bench, peerNamed(peers, name), Number(size));
  });
  const titleOf = titlesOf(peers);
  const most = sizes.at(-1) as number;
  const growth = (metric: string, name: string): number => samples.ratio(metric, `${name} ${most}`, `${name} ${sizes[0]}`);
  return {
    title: "Sites: from few to many on one relay",
    setup: `One subscriber on each site; ${RATE} messages a second go round the sites. The cost of a publish is what the processes use beyond what they use idle with the same connections. Socket.IO has a namespace for each site.`,
    tables: [
      {
        columns: ["", "sites", "relay us per publish", "Redis us per publish", "relay CPU idle", "Redis CPU idle"],
        rows: samples.variants.map((variant) => {
          const [name, size] = variant.split(" ") as [string, string];
          const idle = (metric: string): string => `${show(samples.median(variant, metric) * 100)}%`;
          return [
            titleOf(name),
            show(Number(size)),
            show(samples.median(variant, "relayUs")),
            show(samples.median(variant, "redisUs")),
            idle("relayIdle"),
            idle("redisIdle"),
          ];
        }),
      },
    ],
    targets: [
      atMost(`Relay CPU per publish at ${show(most)} sites at most 1.3x that at 10`, growth("relayUs", "bellwire"), 1.3),
      atMost(`Redis CPU per publish at ${show(most)} sites at most 1.3x that at 10`, growth("redisUs", "bellwire"), 1.3),
    ],
    plot: {
      kind: "lines",
      title: "Sites: relay CPU per publish",
      unit: "us per publish",
      across: "sites",
      lines: peers.map(({ name, title }) => ({
        label: title,
        points: sizes.map((size) => [size, samples.median(`${name} ${size}`, "relayUs")] as const),
      })),
    },
    notes: [
      `Bare Socket.IO over the same range: relay ${show(growth("relayUs", "socket-io"))}x, Redis ${show(growth("redisUs", "socket-io"))}x.`,
    ],
  };
}

async function measureSites(bench: Bench, peer: Peer, size: number): Promise<Measured> {
  await using stage = await Stage.start(peer, { sites: true, profiles: bench.profiles });
  await stage.open(
    Array.from({ length: size }, (_, i) => ({ site: siteName(i), wishes: [{ topic: TOPIC }], expect: { first: i, step: size } })),
  );
  await sleep(bench.size(3000, 500));
  const calm = await stage.mark();
  await sleep(bench.size(8000, 1500));
  const idle = between(calm, await stage.mark());
  await stage.publish({ target: { topic: TOPIC, sites: size }, pace: { rate: RATE } });
  await sleep(bench.size(3000, 500));
  const before = await stage.mark();
  await sleep(bench.size(8000, 1500));
  const busy = between(before, await stage.mark());
  await stage.settle((sent) => sent);
  const beyondIdle = (pid: number): number => (busy.cpu(pid) - idle.cpu(pid) * (busy.seconds / idle.seconds)) / busy.received;
  return {
    figures: {
      relayUs: beyondIdle(stage.relay.pid),
      redisUs: beyondIdle(stage.redis.pid),
      relayIdle: idle.cpu(stage.relay.pid) / 1e6 / idle.seconds,
      redisIdle: idle.cpu(stage.redis.pid) / 1e6 / idle.seconds,
      perSecond: busy.received / busy.seconds,
    },
  };
}

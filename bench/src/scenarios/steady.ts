import type { Bench, Scenario } from "../bench.js";
import { milliseconds, show } from "../results/numbers.js";
import type { Outcome, Table } from "../results/outcome.js";
import { atMost } from "../results/targets.js";
import type { Samples } from "../samples.js";
import { quantile } from "../statistics.js";
import { spread } from "./burst.js";
import { audience, fanOutTable, measureFanOut } from "./fan-out.js";
import { peerNamed, titlesOf } from "./titles.js";

const RATE = 100;
// So slow that every message finds an idle relay.
const LONE_RATE = 40;

export const steady: Scenario = { name: "steady", run };

async function run(bench: Bench): Promise<Outcome> {
  const peers = bench.peers("bellwire", "socket-io", "ws", "ws-raw", "centrifugo");
  const subscribers = bench.size(1000, 200);
  const names = peers.map(({ name }) => name);
  const measure = (rate: number, count: number) => async (name: string) => {
    const { figures, latencies = [] } = await measureFanOut(bench, peerNamed(peers, name), {
      clients: count === 1 ? [{ wishes: [{ topic: "news" }], expect: { first: 0, step: 1 }, sampled: true }] : audience(count, "news"),
      target: { topic: "news" },
      pace: { rate },
      seconds: bench.size(10, 2),
      warmUp: bench.size(3, 1),
    });
    return { figures: { ...figures, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) }, latencies };
  };
  const many = await bench.alternate(names, measure(RATE, subscribers));
  const lone = await bench.alternate(names, measure(LONE_RATE, 1));
  const titleOf = titlesOf(peers);
  const more = (metric: string): number => lone.median("bellwire", metric) - lone.median("ws", metric);
  return {
    title: `Steady: ${RATE} messages a second to many subscribers`,
    setup: `${subscribers} subscribers of one topic, ${RATE} messages a second of about 60 bytes, latency sampled at every tenth subscriber. Then one subscriber alone and ${LONE_RATE} messages a second: what a relay adds when it has nothing else to do.`,
    tables: [fanOutTable(many, titleOf), latencyTable(many, lone, titleOf)],
    targets: [
      atMost("CPU per delivery at most that of tight ws", many.ratio("relayUs", "bellwire", "ws"), 1),
      atMost("p99 latency at most 1.2x that of tight ws", many.ratio("p99", "bellwire", "ws"), 1.2),
      atMost(
        "Batching adds no wait when idle: what the p50 of a lone message is above that of tight ws, less the CPU that relay and Redis spend more on it (the log), at most 0.2 ms",
        (more("p50") - more("relayUs") - more("redisUs")) / 1000,
        0.2,
      ),
    ].map((target, i) => (i === 2 ? { ...target, value: target.value.replace(/x$/, " ms") } : target)),
    plot: {
      kind: "bars",
      title: `Steady: relay CPU per delivery at ${RATE} messages a second`,
      unit: "us per delivery",
      bars: names.map((name) => ({ label: titleOf(name), ...spread(many.spread(name, "relayUs")) })),
    },
    notes: [
      ...behind(many, subscribers, titleOf),
      "Latencies include the load's own work: reading a thousand sockets takes it some milliseconds, the same for every peer.",
    ],
  };
}

/** Says which peers did not keep up: their latency is that of a growing queue, and says nothing of the peer on a faster machine. */
function behind(many: Samples, subscribers: number, titleOf: (name: string) => string): string[] {
  const wanted = RATE * subscribers;
  return many.variants
    .filter((name) => many.median(name, "perSecond") < 0.98 * wanted)
    .map((name) => `${titleOf(name)} did not keep up: ${show(many.median(name, "perSecond"))} of ${show(wanted)} deliveries a second.`);
}

function latencyTable(many: Samples, lone: Samples, titleOf: (name: string) => string): Table {
  return {
    columns: ["latency, ms", "p50", "p99", "max", "samples", "alone: p50", "alone: p99", "alone: max"],
    rows: many.variants.map((name) => {
      const all = many.latency(name);
      const one = lone.latency(name);
      return [
        titleOf(name),
        milliseconds(all.p50),
        milliseconds(all.p99),
        milliseconds(all.max),
        show(all.samples),
        milliseconds(one.p50),
        milliseconds(one.p99),
        milliseconds(one.max),
      ];
    }),
  };
}

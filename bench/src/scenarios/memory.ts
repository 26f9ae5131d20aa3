import type { Bench, Measured, Scenario } from "../bench.js";
import { sleep } from "../measure/clock.js";
import { memoryOf } from "../measure/process.js";
import type { Peer } from "../peers/peer.js";
import { show } from "../results/numbers.js";
import type { Outcome } from "../results/outcome.js";
import type { HeapReading } from "../servers/settings.js";
import { Stage } from "../stage.js";
import { spread } from "./burst.js";
import { peerNamed, titlesOf } from "./titles.js";

const BARE = 9.7;

export const memory: Scenario = { name: "memory", run };

async function run(bench: Bench): Promise<Outcome> {
  const peers = bench.peers("bellwire", "socket-io", "ws", "centrifugo");
  const connections = bench.size(10_000, 1000);
  const names = peers.map(({ name }) => name);
  const samples = await bench.alternate(names, (name) => measureMemory(bench, peerNamed(peers, name), connections));
  const titleOf = titlesOf(peers);
  const own = samples.median("bellwire", "heap");
  const other = samples.has("socket-io") ? samples.median("socket-io", "heap") : BARE;
  return {
    title: "Memory: many connections",
    setup: `${show(connections)} connections, in kilobytes (1,000 bytes) for each. Bellwire's and Centrifugo's each have one subscription (Bellwire's with a filter), the others none. Heap right after a collection; resident memory as the system counts it.`,
    tables: [
      {
        columns: ["KB per connection", "heap after GC", "memory outside the heap", "resident", "resident at its peak"],
        rows: samples.variants.map((name) => [
          titleOf(name),
          ...["heap", "external", "rss", "peak"].map((metric) => show(samples.median(name, metric))),
        ]),
      },
    ],
    targets: [
      {
        text: `Heap after GC below bare Socket.IO's without any subscription in the same run (and below ${BARE} KB)`,
        value: `${show(own)} KB against ${show(other)} KB`,
        met: own < other && own < BARE,
      },
      {
        text: "Resident memory beside Centrifugo's",
        value: samples.has("centrifugo")
          ? `${show(samples.median("bellwire", "rss"))} KB against ${show(samples.median("centrifugo", "rss"))} KB`
          : `${show(samples.median("bellwire", "rss"))} KB; Centrifugo was not measured`,
        met: undefined,
      },
    ],
    plot: {
      kind: "bars",
      title: "Memory: heap after GC per connection",
      unit: "KB",
      bars: names
        .filter((name) => !Number.isNaN(samples.median(name, "heap")))
        .map((name) => ({ label: titleOf(name), ...spread(samples.spread(name, "heap")) })),
    },
  };
}

async function measureMemory(bench: Bench, peer: Peer, connections: number): Promise<Measured> {
  await using stage = await Stage.start(peer, { profiles: bench.profiles });
  const collect = async (): Promise<HeapReading> =>
    (await stage.relay.worker?.call<HeapReading>("collect")) ?? { heap: Number.NaN, external: Number.NaN };
  const subscribes = peer.name === "bellwire" || peer.name === "centrifugo";
  // One of each first, so that what is loaded once is not counted as a connection's.
  await stage.open([{ wishes: subscribes ? [{ topic: "news", id: -1 }] : [] }]);
  await sleep(500);
  const heapBefore = await collect();
  const before = memoryOf(stage.relay.pid);
  await stage.open(Array.from({ length: connections }, (_, id) => ({ wishes: subscribes ? [{ topic: "news", id }] : [] })));
  await sleep(bench.size(3000, 500));
  const full = memoryOf(stage.relay.pid);
  const heapAfter = await collect();
  const each = (after: number, start: number): number => (after - start) / connections / 1000;
  return {
    figures: {
      heap: each(heapAfter.heap, heapBefore.heap),
      external: each(heapAfter.external, heapBefore.external),
      rss: each(full.rss, before.rss),
      peak: each(full.peak, before.rss),
    },
  };
}

import type { Bench, Scenario } from "../bench.js";
import type { Outcome } from "../results/outcome.js";
import { atLeast } from "../results/targets.js";
import { audience, fanOutTable, measureFanOut } from "./fan-out.js";
import { peerNamed, titlesOf } from "./titles.js";

// Messages that may be on their way to everybody: what keeps a publisher from outrunning a server that takes all it is given.
const WINDOW = 200;

export const burst: Scenario = { name: "burst", run };

async function run(bench: Bench): Promise<Outcome> {
  const peers = bench.peers("bellwire", "socket-io", "ws", "ws-raw", "centrifugo");
  const subscribers = bench.size(1000, 200);
  const names = peers.map(({ name }) => name);
  const samples = await bench.alternate(names, (name) =>
    measureFanOut(bench, peerNamed(peers, name), {
      clients: audience(subscribers, "news"),
      target: { topic: "news" },
      pace: { window: WINDOW, deliveriesPerMessage: subscribers },
      seconds: bench.size(8, 2),
      warmUp: bench.size(3, 1),
    }),
  );
  const titleOf = titlesOf(peers);
  const ratio = (other: string): number => samples.ratio("perCpuSecond", "bellwire", other);
  return {
    title: "Burst: one topic, published as fast as it is taken",
    setup: `${subscribers} subscribers of one topic without filters, messages of about 60 bytes, at most ${WINDOW} of them on their way at a time.`,
    tables: [fanOutTable(samples, titleOf)],
    targets: [
      atLeast("At least 15x the deliveries per relay CPU second of bare Socket.IO", ratio("socket-io"), 15),
      atLeast("At least 8x of tight ws", ratio("ws"), 8),
      atLeast("At least 3x of Centrifugo", ratio("centrifugo"), 3),
    ],
    plot: {
      kind: "bars",
      title: "Burst: deliveries per second of relay CPU",
      unit: "deliveries / CPU s",
      bars: names.map((name) => ({ label: titleOf(name), ...spread(samples.spread(name, "perCpuSecond")) })),
    },
  };
}

export function spread({ median, least, most }: { median: number; least: number; most: number }): {
  value: number;
  least: number;
  most: number;
} {
  return { value: median, least, most };
}

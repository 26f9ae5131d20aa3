import type { Bench, Scenario } from "../bench.js";
import type { ClientPlan } from "../load/plan.js";
import type { Outcome } from "../results/outcome.js";
import { atLeast } from "../results/targets.js";
import { spread } from "./burst.js";
import { fanOutTable, measureFanOut } from "./fan-out.js";
import { peerNamed, titlesOf } from "./titles.js";

const TOPIC = "Contact_Updated_Topic";
const WINDOW = 200;

export const mixed: Scenario = { name: "mixed", run };

async function run(bench: Bench): Promise<Outcome> {
  const peers = bench.peers("bellwire", "socket-io");
  const ids = bench.size(500, 100);
  const clients = mixedAudience(ids);
  const deliveriesPerMessage = clients.filter(({ expect }) => expect?.step === 1).length + 0.8;
  const names = peers.map(({ name }) => name);
  const samples = await bench.alternate(names, (name) =>
    measureFanOut(bench, peerNamed(peers, name), {
      clients,
      target: { topic: TOPIC, ids },
      pace: { window: WINDOW, deliveriesPerMessage },
      seconds: bench.size(8, 2),
      warmUp: bench.size(3, 1),
    }),
  );
  const titleOf = titlesOf(peers);
  const faults = ["lost", "wrong"].map((metric) => samples.spread("bellwire", metric).most);
  return {
    title: "Mixed: with and without filters on one topic",
    setup: `${clients.length} subscribers of one topic: half of them unfiltered, half on one of ${ids} ids, every tenth with both. Messages go through the ids in turn, as fast as they are taken. Socket.IO emits to the topic's room and the id's room. Each client knows which number comes next.`,
    tables: [fanOutTable(samples, titleOf)],
    targets: [
      atLeast(
        "At least 5x the deliveries per relay CPU second of bare Socket.IO that emits to the same rooms",
        samples.ratio("perCpuSecond", "bellwire", "socket-io"),
        5,
      ),
      {
        text: "Every message exactly once and in order",
        value: `${faults[0]} lost, ${faults[1]} twice or out of order`,
        met: faults.every((count) => count === 0),
      },
    ],
    plot: {
      kind: "bars",
      title: "Mixed: deliveries per second of relay CPU",
      unit: "deliveries / CPU s",
      bars: names.map((name) => ({ label: titleOf(name), ...spread(samples.spread(name, "perCpuSecond")) })),
    },
  };
}

/** For each id one client that wants only it, and one that wants everything; every tenth of them wants the id as well. */
export function mixedAudience(ids: number): ClientPlan[] {
  return Array.from({ length: ids }, (_, id): ClientPlan[] => {
    const everything = { topic: TOPIC };
    const one = { topic: TOPIC, id };
    const all = { first: 0, step: 1 };
    return id % 5 === 0
      ? [
          { wishes: [everything], expect: all },
          { wishes: [everything, one], expect: all },
        ]
      : [
          { wishes: [everything], expect: all },
          { wishes: [one], expect: { first: id, step: ids } },
        ];
  }).flat();
}

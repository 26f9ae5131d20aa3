import type { Bench, Measured, Scenario } from "../bench.js";
import { sleep } from "../measure/clock.js";
import type { Peer } from "../peers/peer.js";
import { show } from "../results/numbers.js";
import type { Outcome } from "../results/outcome.js";
import { between, Stage } from "../stage.js";
import { spread } from "./burst.js";
import { peerNamed, titlesOf } from "./titles.js";

const RATE = 5000;
const CLIENTS = 100;
// CPU of a whole core that a reading may be off by: a ping more or less, a collection.
const TOLERANCE = 0.005;

export const idle: Scenario = { name: "idle", run };

async function run(bench: Bench): Promise<Outcome> {
  const peers = bench.peers("bellwire", "socket-io", "ws", "centrifugo");
  const names = peers.map(({ name }) => name);
  const samples = await bench.alternate(names, (name) => measureIdle(bench, peerNamed(peers, name)));
  const titleOf = titlesOf(peers);
  const heard = samples.spread("bellwire", "heard").most;
  const extra = samples.median("bellwire", "extra");
  const percent = (value: number): string => `${show(value * 100)}%`;
  return {
    title: "Idle: a relay that nobody's messages concern",
    setup: `A relay with ${CLIENTS} clients on a quiet topic, while ${RATE} messages a second are published to 50 other topics. First the relay's CPU without them, then with them.`,
    tables: [
      {
        columns: ["", "relay CPU, nothing published", `relay CPU, ${show(RATE)} messages/s elsewhere`, "difference", "messages heard"],
        rows: samples.variants.map((name) => [
          titleOf(name),
          percent(samples.median(name, "calm")),
          percent(samples.median(name, "busy")),
          percent(samples.median(name, "extra")),
          show(samples.spread(name, "heard").most),
        ]),
      },
    ],
    targets: [
      { text: "0 messages received", value: show(heard), met: heard === 0 },
      { text: `CPU at its idle level (within ${percent(TOLERANCE)} of a core)`, value: percent(extra), met: extra <= TOLERANCE },
    ],
    plot: {
      kind: "bars",
      title: `Idle: relay CPU that ${show(RATE)} messages a second elsewhere cost`,
      unit: "% of a core",
      bars: names.map((name) => {
        const { value, least, most } = spread(samples.spread(name, "extra"));
        return { label: titleOf(name), value: value * 100, least: least * 100, most: most * 100 };
      }),
    },
    notes: ["Messages heard are counted by the relay itself, for Bellwire only."],
  };
}

async function measureIdle(bench: Bench, peer: Peer): Promise<Measured> {
  await using stage = await Stage.start(peer, { profiles: bench.profiles });
  await stage.open(Array.from({ length: CLIENTS }, () => ({ wishes: [{ topic: "quiet" }] })));
  await sleep(bench.size(3000, 1000));
  const span = bench.size(10_000, 2000);
  const first = await stage.mark();
  await sleep(span);
  const calm = between(first, await stage.mark());
  const heard = async (): Promise<number> =>
    peer.name === "bellwire" ? ((await stage.relay.worker?.call<number>("heard")) ?? 0) : Number.NaN;
  await stage.publish({ target: { topic: "busy", topics: 50 }, pace: { rate: RATE } });
  await sleep(1000);
  const heardBefore = await heard();
  const second = await stage.mark();
  await sleep(span);
  const busy = between(second, await stage.mark());
  const share = ({ cpu, seconds }: typeof busy): number => cpu(stage.relay.pid) / 1e6 / seconds;
  return { figures: { calm: share(calm), busy: share(busy), extra: share(busy) - share(calm), heard: (await heard()) - heardBefore } };
}

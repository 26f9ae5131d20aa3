import type { Bench, Measured, Scenario } from "../bench.js";
import type { ClientPlan } from "../load/plan.js";
import { microseconds, sleep, until } from "../measure/clock.js";
import type { Peer, Relay } from "../peers/peer.js";
import { show } from "../results/numbers.js";
import type { Outcome } from "../results/outcome.js";
import { atMost } from "../results/targets.js";
import { between, Stage } from "../stage.js";
import { quantile } from "../statistics.js";
import { spread } from "./burst.js";
import { peerNamed, titlesOf } from "./titles.js";

const TOPICS = 50;
const IDS = 10;
// As Socket.IO's client does by default: a second, with half of it up to chance.
const AFTER_MS = 500;
const SPREAD_MS = 1000;
/** Each read of a log makes this call once, and nothing else does. */
const READ = "xinfo|stream";
const PATIENCE_MS = 60_000;

export const storm: Scenario = { name: "storm", run };

async function run(bench: Bench): Promise<Outcome> {
  const peers = bench.peers("bellwire", "socket-io");
  const clients = bench.size(5000, 500);
  const names = peers.map(({ name }) => name);
  const samples = await bench.alternate(names, (name) => measureStorm(bench, peerNamed(peers, name), clients));
  const titleOf = titlesOf(peers);
  const reads = samples.spread("bellwire", "reads").most;
  const refused = samples.spread("bellwire", "failures").most;
  return {
    title: "Storm: a relay is killed, and all its clients come back at once",
    setup: `${show(clients)} clients with three filtered subscriptions each, over ${TOPICS} topics. Their relay is killed, one message for each of ${TOPICS * IDS} topic and id pairs is published while they are away, and they connect to a second relay ${AFTER_MS} to ${AFTER_MS + SPREAD_MS} ms later, spread in the same way for every peer. Both check tokens: Bellwire's clients come back with tickets and positions, Socket.IO's with a token and a join of the same rooms.`,
    tables: [
      {
        columns: [
          "",
          "until half are whole, s",
          "until all are whole, s",
          "relay CPU, s",
          "missed messages brought",
          "log reads",
          "refused and tried again",
        ],
        rows: samples.variants.map((name) => [
          titleOf(name),
          show(samples.median(name, "half")),
          show(samples.median(name, "all")),
          show(samples.median(name, "cpu")),
          `${show(samples.median(name, "recovered") * 100)}%`,
          name === "bellwire" ? show(samples.median(name, "reads")) : "-",
          show(samples.median(name, "failures")),
        ]),
      },
    ],
    targets: [
      atMost("Time until all are whole at most bare Socket.IO's reconnect and rejoin", samples.ratio("all", "bellwire", "socket-io"), 1),
      {
        text: "Backend calls 0",
        value: refused === 0 ? "0: every client came back with its tickets alone" : `${show(refused)} attempts were refused`,
        met: refused === 0,
      },
      {
        text: `Log reads of the order of topics (${TOPICS}): at most 4 for each`,
        value: show(reads),
        met: reads <= 4 * TOPICS,
      },
    ],
    plot: {
      kind: "bars",
      title: "Storm: time until all clients are whole",
      unit: "s",
      bars: names.map((name) => ({ label: titleOf(name), ...spread(samples.spread(name, "all")) })),
    },
    notes: [
      "Log reads are counted from the kill until all were whole, those by which the relay compares its heads with the log among them.",
    ],
  };
}

async function measureStorm(bench: Bench, peer: Peer, count: number): Promise<Measured> {
  await using stage = await Stage.start(peer, { relays: 2, tokens: true, profiles: bench.profiles });
  const [first, second] = stage.relays as readonly [Relay, Relay];
  await stage.open(audience(count), { comeback: { port: second.port, after: AFTER_MS, spread: SPREAD_MS } });
  await sleep(bench.size(2000, 500));
  const readsBefore = await stage.redis.calls(READ);
  const before = await stage.mark();
  const killedAt = microseconds();
  await first.kill();
  await stage.publish({
    target: { topic: "topic", topics: TOPICS, ids: IDS },
    pace: { window: 100_000, deliveriesPerMessage: 1 },
    most: TOPICS * IDS,
  });
  await stage.publisher.call("stop");
  let back: Float64Array = new Float64Array();
  const whole = async (): Promise<boolean> => (back = await stage.load.call<Float64Array>("comebacks")).length >= count;
  await until(whole, PATIENCE_MS, "Not all clients came back");
  const after = await stage.load.call<Awaited<ReturnType<Stage["mark"]>>>("mark", [second.pid]);
  const reads = (await stage.redis.calls(READ)) - readsBefore;
  const { failures } = await stage.load.call<{ failures: number }>("failed");
  const { received } = between(before, after);
  const seconds = (q: number): number => (quantile(back, q) - killedAt) / 1e6;
  return {
    figures: {
      half: seconds(0.5),
      all: seconds(1),
      cpu: ((after.cpu[second.pid] ?? 0) - (before.cpu[second.pid] ?? 0)) / 1e9,
      recovered: received / (3 * count),
      reads,
      failures,
    },
  };
}

/** Three wishes each; over all clients every pair of topic and id is wanted equally often. */
function audience(count: number): ClientPlan[] {
  return Array.from({ length: count }, (_, i) => ({
    wishes: [0, 7, 13].map((shift) => ({ topic: `topic${(i + shift) % TOPICS}`, id: Math.floor(i / TOPICS) % IDS })),
  }));
}

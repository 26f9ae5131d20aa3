import type { Bench, Measured, Scenario } from "../bench.js";
import type { ClientPlan } from "../load/plan.js";
import { sleep } from "../measure/clock.js";
import type { Peer } from "../peers/peer.js";
import { show } from "../results/numbers.js";
import type { Outcome } from "../results/outcome.js";
import { atLeast } from "../results/targets.js";
import { between, Stage } from "../stage.js";
import { spread } from "./burst.js";
import { peerNamed, titlesOf } from "./titles.js";

export const connect: Scenario = { name: "connect", run };

async function run(bench: Bench): Promise<Outcome> {
  const peers = bench.peers("bellwire", "socket-io");
  const connections = bench.size(8000, 1000);
  const names = peers.map(({ name }) => name);
  const samples = await bench.alternate(names, (name) => measureConnect(bench, peerNamed(peers, name), connections));
  const titleOf = titlesOf(peers);
  return {
    title: "Connect: tokens verified, one subscription",
    setup: `${show(connections)} clients connect, after a quarter as many others, 50 handshakes at a time, each with a token of its own (HS256, checked by fast-jwt in both) and one subscription on one of 100 topics, confirmed.`,
    tables: [
      {
        columns: ["", "accepts per relay CPU second", "(least to most)", "accepts/s", "relay us per accept", "Redis us per accept"],
        rows: samples.variants.map((name) => {
          const { median, least, most } = samples.spread(name, "perCpuSecond");
          const shown = (metric: string): string => show(samples.median(name, metric));
          return [titleOf(name), show(median), `${show(least)} to ${show(most)}`, shown("perSecond"), shown("relayUs"), shown("redisUs")];
        }),
      },
    ],
    targets: [
      atLeast(
        "At least 0.9x the accepts per CPU second of bare Socket.IO with the same JWT check",
        samples.ratio("perCpuSecond", "bellwire", "socket-io"),
        0.9,
      ),
    ],
    plot: {
      kind: "bars",
      title: "Connect: accepts per second of relay CPU",
      unit: "accepts / CPU s",
      bars: names.map((name) => ({ label: titleOf(name), ...spread(samples.spread(name, "perCpuSecond")) })),
    },
  };
}

async function measureConnect(bench: Bench, peer: Peer, connections: number): Promise<Measured> {
  await using stage = await Stage.start(peer, { tokens: true, profiles: bench.profiles });
  const clients = (count: number, first: number): ClientPlan[] =>
    Array.from({ length: count }, (_, i) => ({ wishes: [{ topic: `topic${i % 100}`, id: first + i }] }));
  // A process that has just started spends most of its time on compiling; no relay stays in that state.
  await stage.open(clients(connections / 4, connections), { concurrency: 50 });
  await sleep(1000);
  const before = await stage.mark();
  await stage.open(clients(connections, 0), { concurrency: 50 });
  const { seconds, cpu } = between(before, await stage.mark());
  const relay = cpu(stage.relay.pid);
  return {
    figures: {
      perCpuSecond: connections / (relay / 1e6),
      perSecond: connections / seconds,
      relayUs: relay / connections,
      redisUs: cpu(stage.redis.pid) / connections,
    },
  };
}

import type { Bench, Measured, Scenario } from "../bench.js";
import { sleep } from "../measure/clock.js";
import type { Peer } from "../peers/peer.js";
import type { PublishFigures, Target as Destination } from "../publisher/plan.js";
import { milliseconds, show } from "../results/numbers.js";
import type { Outcome } from "../results/outcome.js";
import { between, Stage } from "../stage.js";
import { quantile } from "../statistics.js";
import { spread } from "./burst.js";
import { peerNamed } from "./titles.js";

const IN_FLIGHT = 100;
const RATE = 1000;
const BATCH = 100;

export const publish: Scenario = { name: "publish", run };

async function run(bench: Bench): Promise<Outcome> {
  const peers = bench.peers("bellwire", "ws");
  const variants = peers.flatMap(({ name }) => (name === "bellwire" ? ["bellwire", "http", "http single"] : [name]));
  const titles: Record<string, string> = {
    bellwire: "Bellwire's emitter",
    http: `Bellwire's HTTP API, ${BATCH} messages a request`,
    "http single": "Bellwire's HTTP API, one message a request",
    ws: "a plain PUBLISH by ioredis",
  };
  const samples = await bench.alternate(variants, (variant) =>
    variant.startsWith("http")
      ? measureHttp(bench, peerNamed(peers, "bellwire"), variant === "http" ? BATCH : 1)
      : measureEmitter(bench, peerNamed(peers, variant)),
  );
  const rate = samples.median("bellwire", "perSecond");
  const p99 = samples.median("bellwire", "p99");
  const http = samples.median("http", "perSecond");
  const idle = samples.median("bellwire", "idle");
  return {
    title: "Publish: the emitter and the HTTP API",
    setup: `One publisher process, nobody subscribed, 10 topics in turn. The emitter with ${IN_FLIGHT} publishes under way, then at ${RATE} a second for the latency of the answer, then doing nothing. HTTP over 8 connections.`,
    tables: [
      {
        columns: [
          "",
          "messages/s",
          "(least to most)",
          `p50 at ${show(RATE)}/s, ms`,
          "p99, ms",
          "publisher us per message",
          "relay us per message",
          "Redis us per message",
          "idle CPU",
        ],
        rows: samples.variants.map((variant) => {
          const { median, least, most } = samples.spread(variant, "perSecond");
          const shown = (metric: string): string => show(samples.median(variant, metric));
          return [
            titles[variant] as string,
            show(median),
            `${show(least)} to ${show(most)}`,
            milliseconds(samples.median(variant, "p50")),
            milliseconds(samples.median(variant, "p99")),
            shown("publisherUs"),
            shown("relayUs"),
            shown("redisUs"),
            Number.isNaN(samples.median(variant, "idle")) ? "-" : `${show(samples.median(variant, "idle") * 100)}%`,
          ];
        }),
      },
    ],
    targets: [
      { text: `Emitter at least 60,000 messages/s with ${IN_FLIGHT} in flight`, value: `${show(rate)}/s`, met: rate >= 60_000 },
      { text: `p99 below 5 ms at ${show(RATE)}/s`, value: `${milliseconds(p99)} ms`, met: p99 < 5000 },
      { text: "HTTP at least 10,000 messages/s batched", value: `${show(http)}/s`, met: http >= 10_000 },
      { text: "Idle cost of the emitter nil (below 0.1% of a core)", value: `${show(idle * 100)}%`, met: idle < 0.001 },
    ],
    plot: {
      kind: "bars",
      title: "Publish: messages per second from one process",
      unit: "messages / s",
      bars: variants.map((variant) => ({ label: titles[variant] as string, ...spread(samples.spread(variant, "perSecond")) })),
    },
  };
}

async function measureEmitter(bench: Bench, peer: Peer): Promise<Measured> {
  await using stage = await Stage.start(peer, { profiles: bench.profiles });
  const target: Destination = { topic: "news", topics: 10 };
  await stage.publisher.call("flood", { inFlight: IN_FLIGHT, seconds: 1, target });
  const before = await stage.mark();
  const flood = await stage.publisher.call<PublishFigures>("flood", { inFlight: IN_FLIGHT, seconds: bench.size(6, 2), target });
  const cost = between(before, await stage.mark());
  const paced = await stage.publisher.call<PublishFigures>("pace", { rate: RATE, seconds: bench.size(6, 2), target });
  await sleep(500);
  const calm = await stage.mark();
  await sleep(bench.size(5000, 2000));
  const idle = between(calm, await stage.mark());
  return {
    figures: {
      perSecond: flood.published / flood.seconds,
      p50: quantile(paced.latencies, 0.5),
      p99: quantile(paced.latencies, 0.99),
      publisherUs: cost.cpu(stage.publisher.pid) / flood.published,
      relayUs: cost.cpu(stage.relay.pid) / flood.published,
      redisUs: cost.cpu(stage.redis.pid) / flood.published,
      idle: idle.cpu(stage.publisher.pid) / 1e6 / idle.seconds,
      failed: flood.failed + paced.failed,
    },
  };
}

async function measureHttp(bench: Bench, peer: Peer, batch: number): Promise<Measured> {
  await using stage = await Stage.start(peer, { profiles: bench.profiles });
  await stage.publisher.call("httpFlood", { connections: 8, batch, seconds: 1 });
  const before = await stage.mark();
  const flood = await stage.publisher.call<PublishFigures>("httpFlood", { connections: 8, batch, seconds: bench.size(6, 2) });
  const cost = between(before, await stage.mark());
  return {
    figures: {
      perSecond: flood.published / flood.seconds,
      publisherUs: cost.cpu(stage.publisher.pid) / flood.published,
      relayUs: cost.cpu(stage.relay.pid) / flood.published,
      redisUs: cost.cpu(stage.redis.pid) / flood.published,
      failed: flood.failed,
    },
  };
}

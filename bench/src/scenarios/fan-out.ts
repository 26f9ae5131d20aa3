import type { Bench, Measured } from "../bench.js";
import type { ClientPlan } from "../load/plan.js";
import { sleep } from "../measure/clock.js";
import type { Peer } from "../peers/peer.js";
import type { Pace, Target } from "../publisher/plan.js";
import type { Table } from "../results/outcome.js";
import { show } from "../results/numbers.js";
import type { Samples } from "../samples.js";
import { between, Stage } from "../stage.js";

export interface FanOut {
  readonly clients: readonly ClientPlan[];
  readonly target: Target;
  readonly pace: Pace;
  /** Seconds that are measured, after the warm-up. */
  readonly seconds: number;
  readonly warmUp: number;
  /** What else goes on: begun when all are subscribed, ended after the measurement. */
  readonly begin?: (stage: Stage) => Promise<void>;
  readonly end?: () => Promise<void>;
}

/** One publisher, one relay, many subscribers: CPU per delivery, latency, and whether everything came once and in order. */
export async function measureFanOut(bench: Bench, peer: Peer, plan: FanOut): Promise<Measured> {
  await using stage = await Stage.start(peer, { profiles: bench.profiles });
  await stage.open(plan.clients);
  await plan.begin?.(stage);
  await stage.publish({ target: plan.target, pace: plan.pace });
  await sleep(plan.warmUp * 1000);
  await stage.load.call("sample", true);
  const before = await stage.mark();
  await sleep(plan.seconds * 1000);
  const after = await stage.mark();
  const latencies = await stage.load.call<Float64Array>("latencies");
  await stage.load.call("sample", false);
  await plan.end?.();
  const expected = (sent: number): number => plan.clients.reduce((sum, { expect }) => sum + expectedOf(expect, sent), 0);
  const end = await stage.settle(expected);
  const { received, frames, seconds, cpu } = between(before, after);
  const relay = cpu(stage.relay.pid);
  return {
    figures: {
      perCpuSecond: received / (relay / 1e6),
      relayUs: relay / received,
      redisUs: cpu(stage.redis.pid) / received,
      perSecond: received / seconds,
      perFrame: received / frames,
      relayCpu: relay / 1e6 / seconds,
      loadCpu: cpu(stage.load.pid) / 1e6 / seconds,
      lost: expected(end.sent) - end.mark.received + end.mark.repeated,
      wrong: end.mark.repeated + end.mark.missed,
    },
    latencies,
  };
}

/** How many of `sent` messages are for a client. */
function expectedOf(expect: ClientPlan["expect"], sent: number): number {
  if (expect === undefined || sent <= expect.first) return 0;
  return Math.ceil((sent - expect.first) / expect.step);
}

export function fanOutTable(samples: Samples, titleOf: (variant: string) => string): Table {
  return {
    columns: [
      "",
      "relay us per delivery",
      "(least to most)",
      "Redis us per delivery",
      "deliveries/s",
      "messages per frame",
      "relay CPU",
      "lost",
      "twice or out of order",
    ],
    rows: samples.variants.map((variant) => {
      const { median, least, most } = samples.spread(variant, "relayUs");
      const shown = (metric: string): string => show(samples.median(variant, metric));
      const worst = (metric: string): string => show(samples.spread(variant, metric).most);
      return [
        titleOf(variant),
        show(median),
        `${show(least)} to ${show(most)}`,
        shown("redisUs"),
        shown("perSecond"),
        shown("perFrame"),
        `${show(samples.median(variant, "relayCpu") * 100)}%`,
        worst("lost"),
        worst("wrong"),
      ];
    }),
  };
}

/** That many clients with the same wish, every tenth of them sampled for latency. */
export function audience(count: number, topic: string): ClientPlan[] {
  return Array.from({ length: count }, (_, i) => ({ wishes: [{ topic }], expect: { first: 0, step: 1 }, sampled: i % 10 === 5 }));
}

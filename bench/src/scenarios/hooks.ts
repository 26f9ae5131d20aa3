import type { Bench, Measured, Scenario } from "../bench.js";
import type { CallersSettings } from "../load/callers.js";
import { APP_KEY, bellwire } from "../peers/bellwire.js";
import { startNode } from "../peers/node-peer.js";
import { API_KEY, type Peer } from "../peers/peer.js";
import { milliseconds, show } from "../results/numbers.js";
import type { Outcome } from "../results/outcome.js";
import { atMost } from "../results/targets.js";
import { quantile } from "../statistics.js";
import { Worker } from "../worker.js";
import { audience, measureFanOut } from "./fan-out.js";

const RATE = 100;
const QUESTIONS = 200;
const SLOW_MS = 900;
// Nobody listens there.
const DEAD = "http://127.0.0.1:9/hooks";

export const hooks: Scenario = { name: "hooks", run };

async function run(bench: Bench): Promise<Outcome> {
  // So few that no process is short of CPU: what is asked for is waiting, not work.
  const subscribers = bench.size(100, 50);
  const samples = await bench.alternate(["quiet", "asking"], (variant) => measure(bench, subscribers, variant === "asking"));
  const titles: Record<string, string> = { quiet: "no questions", asking: `${QUESTIONS} questions a second` };
  return {
    title: "Hooks: a backend that is down and one that is slow",
    setup: `${subscribers} subscribers of one topic, ${RATE} messages a second. Meanwhile 20 clients make ${QUESTIONS} calls a second: half to a backend that answers after ${SLOW_MS} ms, half to one that is down.`,
    tables: [
      {
        columns: ["", "p50, ms", "p99, ms", "max, ms", "relay CPU", "deliveries lost", "calls answered", "calls refused as unavailable"],
        rows: samples.variants.map((variant) => {
          const { p50, p99, max } = samples.latency(variant);
          const shown = (metric: string): string => show(samples.median(variant, metric));
          return [
            titles[variant] as string,
            milliseconds(p50),
            milliseconds(p99),
            milliseconds(max),
            `${show(samples.median(variant, "relayCpu") * 100)}%`,
            show(samples.spread(variant, "lost").most),
            shown("answered"),
            shown("unavailable"),
          ];
        }),
      },
    ],
    targets: [
      atMost(
        "Deliveries' p99 unchanged (at most 1.2x, and what the questions' own CPU adds)",
        samples.ratio("p99", "asking", "quiet"),
        1.2,
      ),
    ],
    plot: {
      kind: "bars",
      title: "Hooks: p99 of deliveries",
      unit: "ms",
      bars: samples.variants.map((variant) => {
        const { median, least, most } = samples.spread(variant, "p99");
        return { label: titles[variant] as string, value: median / 1000, least: least / 1000, most: most / 1000 };
      }),
    },
  };
}

async function measure(bench: Bench, subscribers: number, asking: boolean): Promise<Measured> {
  const settings: CallersSettings = { appKey: APP_KEY, callers: 20, rate: QUESTIONS, slow: SLOW_MS };
  const { worker: callers, ready } = await Worker.start<{ port: number }>("./load/callers.js", { settings });
  try {
    return await measureBeside(bench, callers, ready.port, subscribers, asking);
  } finally {
    await callers.stop();
  }
}

async function measureBeside(bench: Bench, callers: Worker, port: number, subscribers: number, asking: boolean): Promise<Measured> {
  const inline = {
    hooks: {
      rpc: [
        { methods: ["slow.*"], url: `http://127.0.0.1:${port}/`, concurrency: 500 },
        { methods: ["dead.*"], url: DEAD },
      ],
    },
  };
  const peer: Peer = { ...bellwire, start: (options) => startNode("./servers/bellwire.js", options, { apiKey: API_KEY, inline }) };
  let answers: Record<string, number> = {};
  const { figures, latencies = [] } = await measureFanOut(bench, peer, {
    clients: audience(subscribers, "news"),
    target: { topic: "news" },
    pace: { rate: RATE },
    seconds: bench.size(10, 2),
    warmUp: bench.size(3, 1),
    begin: async ({ relay }) => {
      await callers.call("open", relay.port);
      if (asking) await callers.call("start");
    },
    end: async () => {
      answers = await callers.call<Record<string, number>>("stop");
    },
  });
  return {
    figures: {
      ...figures,
      p99: quantile(latencies, 0.99),
      answered: answers["slow.call: answered"] ?? 0,
      unavailable: answers["dead.call: unavailable"] ?? 0,
    },
    latencies,
  };
}

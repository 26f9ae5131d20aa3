// A relay in a process of its own that watches how long its turns take and how much memory it has. Its parent asks.
import { createTestRelay } from "@bellwire/server/testing";
import type { Address } from "./hostile-relay.js";

/** How the relay has been since it began to count, and what it holds now. */
export interface Spent {
  /**
   * The longest time that nobody was served, milliseconds. On a machine that is busy with something else a process waits for its turn:
   * only what the relay itself was busy counts.
   */
  readonly stall: number;
  /** Milliseconds of a processor that it used. */
  readonly cpu: number;
  /** Bytes of memory at most. */
  readonly peak: number;
  readonly connections: number;
  readonly subscriptions: number;
  readonly feeds: number;
}

const LOOK_MS = 5;

const { relay, url, httpUrl, appKey, apiKey } = await createTestRelay({
  env: { REALTIME_CONFIG: process.env.REALTIME_CONFIG, REDIS_URL: process.env.REDIS_URL },
});
let last = performance.now();
let used = process.cpuUsage();
let cpu = 0;
let stall = 0;
let peak = 0;

function look(): void {
  const now = performance.now();
  const { user, system } = process.cpuUsage(used);
  used = process.cpuUsage();
  const busy = (user + system) / 1000;
  cpu += busy;
  stall = Math.max(stall, Math.min(now - last - LOOK_MS, busy));
  last = now;
  peak = Math.max(peak, process.memoryUsage.rss());
}

setInterval(look, LOOK_MS);

process.on("message", (anew: boolean) => {
  look();
  const { connections, subscriptions, feeds } = relay;
  process.send?.({
    stall,
    cpu,
    peak,
    connections: connections.size,
    subscriptions: subscriptions.count,
    feeds: feeds.size,
  } satisfies Spent);
  if (!anew) return;
  stall = 0;
  cpu = 0;
  peak = process.memoryUsage.rss();
});
process.on("disconnect", () => process.exit(0));
process.send?.({ url, httpUrl, appKey, apiKey } satisfies Address);

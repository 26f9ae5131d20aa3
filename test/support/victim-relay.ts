// A relay in a process of its own, which measures itself while others attack it.
import { createTestRelay } from "@bellwire/server/testing";

export interface VictimAddress {
  readonly url: string;
  readonly httpUrl: string;
  readonly appKey: string;
  readonly apiKey: string;
}

export interface VictimState {
  /** The longest turn of the event loop since the last question, milliseconds: what the relay itself needed, on a busy machine too. */
  readonly stall: number;
  /** The highest resident memory since the last question, bytes. */
  readonly peak: number;
  readonly connections: number;
}

const LOOK_MS = 5;
const { relay, url, httpUrl, appKey, apiKey } = await createTestRelay({
  env: JSON.parse(process.env.VICTIM_ENV ?? "{}") as Record<string, string>,
  onLog: (line) => console.error(line),
});
let stall = 0;
let peak = 0;
let wall = performance.now();
let cpu = process.cpuUsage();
function look(): void {
  const now = performance.now();
  const used = process.cpuUsage(cpu);
  stall = Math.max(stall, Math.min(now - wall - LOOK_MS, (used.user + used.system) / 1000));
  peak = Math.max(peak, process.memoryUsage.rss());
  wall = now;
  cpu = process.cpuUsage();
}
setInterval(look, LOOK_MS);
process.on("message", () => {
  look();
  process.send?.({ stall, peak, connections: relay.gateway?.connections.size ?? 0 } satisfies VictimState);
  stall = 0;
  peak = 0;
});
process.on("disconnect", () => process.exit(0));
process.send?.({ url, httpUrl, appKey, apiKey } satisfies VictimAddress);

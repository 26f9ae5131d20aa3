// A relay in a process of its own, whose parent can ask how it is. Run with --expose-gc.
import { setTimeout as pause } from "node:timers/promises";
import type { Server } from "socket.io";
import { createTestRelay } from "@bellwire/server/testing";
import { socketOf } from "../support/relay-sockets.js";

/** What the parent is told at the start. */
export interface Address {
  readonly url: string;
  readonly httpUrl: string;
  readonly appKey: string;
  readonly apiKey: string;
}

/** How the relay is once nothing but the parent's own clients is left. */
export interface Health {
  readonly heapUsed: number;
  /** Engine.io packets received so far. */
  readonly packets: number;
  /** Connections of engine.io, admitted or not. */
  readonly connections: number;
  readonly namespaces: readonly string[];
  readonly subscriptions: number;
  readonly feeds: number;
  /** Refusals that were a failure of the relay's own. */
  readonly internal: number;
  readonly failures: readonly string[];
  readonly polluted: boolean;
}

const failures: string[] = [];
const { relay, url, httpUrl, appKey, apiKey } = await createTestRelay({
  env: { REALTIME_CONFIG: process.env.REALTIME_CONFIG },
  timing: { linger: 100, compare: 500 },
  onLog: (line) => {
    if (/^\[realtime\] (socket|http): /.test(line)) failures.push(line);
  },
});
const { gateway } = relay;
let io: Server | undefined;
let packets = 0;

/** socket.io's server, found through a client of the parent's, which is connected before it asks for anything. */
function server(): Server {
  if (io !== undefined) return io;
  const [connection] = gateway?.connections ?? [];
  io = socketOf(connection).nsp.server;
  io.engine.on("connection", (socket: { on: (event: "packet", listener: () => void) => void }) => socket.on("packet", () => packets++));
  return io;
}

/** @param expected clients of the parent's */
async function health(expected: number): Promise<Health> {
  const { engine, _nsps } = server();
  for (let i = 0; i < 300 && (engine.clientsCount > expected || relay.feeds.size > 1); i++) await pause(50);
  for (let i = 0; i < 6; i++) {
    (globalThis as unknown as { gc: () => void }).gc();
    await pause(20);
  }
  return {
    heapUsed: process.memoryUsage().heapUsed,
    packets,
    connections: engine.clientsCount,
    namespaces: [..._nsps.keys()],
    subscriptions: relay.subscriptions.count,
    feeds: relay.feeds.size,
    internal: relay.stats.refused.get("internal") ?? 0,
    failures: failures.slice(0, 5),
    polluted: "polluted" in {},
  };
}

process.on("message", (expected: number) => {
  health(expected).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.({ url, httpUrl, appKey, apiKey } satisfies Address);

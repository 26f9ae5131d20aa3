import { cpuOf } from "../measure/process.js";
import { microseconds, sleep } from "../measure/clock.js";
import { notify, serve } from "../rpc.js";
import { LoadClient } from "./client.js";
import { createDialect } from "./dialects.js";
import type { Mark, OpenPlan } from "./plan.js";
import { Counts, Tally } from "./tally.js";

/** The load: clients that connect, subscribe and count. Everything that they are told comes from the bench over IPC. */
const counts = new Counts();
const clients: LoadClient[] = [];
/** When each client that came back was whole again, microseconds. */
const returns: number[] = [];
let failures = 0;
let lastFailure = "";
let progress: NodeJS.Timeout | undefined;

const PROGRESS_MS = 4;
const RETRY_MS = 200;

serve({ open, mark, sample, latencies, follow, comebacks, failed: () => ({ failures, lastFailure }), close });

async function open(plan: OpenPlan): Promise<void> {
  const dialect = createDialect(plan.dialect, plan.appKey);
  const waiting = plan.clients.map((one) => {
    const tally = new Tally(counts, one.expect, one.sampled === true);
    return new LoadClient(one, clients.push(undefined as never) - 1, dialect, tally);
  });
  for (const client of waiting) clients[client.number] = client;
  let next = 0;
  const work = async (): Promise<void> => {
    for (let client = waiting[next++]; client !== undefined; client = waiting[next++]) {
      await client.open(plan.port);
      const { comeback } = plan;
      if (comeback !== undefined) client.onGone = () => void comeBack(client as LoadClient, comeback);
    }
  };
  await Promise.all(Array.from({ length: plan.concurrency }, work));
}

async function comeBack(client: LoadClient, { port, after, spread }: NonNullable<OpenPlan["comeback"]>): Promise<void> {
  // The same moments for every peer: spread by the client's number, not by chance.
  await sleep(after + spread * ((client.number * 0.618_033_988_75) % 1));
  for (;;) {
    try {
      await client.open(port);
      returns.push(microseconds());
      return;
    } catch (error) {
      failures++;
      lastFailure = (error as Error).message;
      await sleep(RETRY_MS);
    }
  }
}

function mark(pids: readonly number[]): Mark {
  const { received, frames, repeated, missed } = counts;
  return { at: microseconds(), received, frames, repeated, missed, cpu: Object.fromEntries(pids.map((pid) => [pid, cpuOf(pid)])) };
}

/** Starts sampling latencies anew, or ends it. */
function sample(on: boolean): void {
  counts.latencies = on ? [] : undefined;
}

function latencies(): Float64Array {
  return Float64Array.from(counts.latencies ?? []);
}

/** Tells the bench every few milliseconds how far the load is, so that a publisher can keep a distance. */
function follow(on: boolean): void {
  clearInterval(progress);
  if (on) progress = setInterval(() => notify("progress", counts.received), PROGRESS_MS);
}

function comebacks(): Float64Array {
  return Float64Array.from(returns);
}

function close(): void {
  clearInterval(progress);
  for (const client of clients) {
    client.onGone = undefined;
    client.close();
  }
  clients.length = 0;
}

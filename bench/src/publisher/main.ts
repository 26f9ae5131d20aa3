import { microseconds, sleep } from "../measure/clock.js";
import { readSettings, serve } from "../rpc.js";
import { httpFlood } from "./http-flood.js";
import { siteName, type Pace, type PublisherSettings, type PublishFigures, type RunPlan, type Target } from "./plan.js";
import type { Address, Data } from "./send.js";
import { createSender } from "./senders.js";

/** The publisher: a backend's process, apart from relay and load so that its own cost is nobody else's. */
const settings = readSettings<PublisherSettings>();
const send = createSender(settings);

const PADDING = "a".repeat(12);
// Publishes under way at a time: enough to keep every connection busy.
const MOST_UNANSWERED = 512;

let sent = 0;
let unanswered = 0;
let delivered = 0;
let running = false;
let ended: Promise<void> = Promise.resolve();

serve({ start, stop, progress, flood, pace, httpFlood: (plan: Parameters<typeof httpFlood>[1]) => httpFlood(settings, plan) });

/** Publishes in the background until it is told to stop, or `most` is reached. */
function start({ target, pace, most = Number.POSITIVE_INFINITY }: RunPlan): void {
  running = true;
  ended = "rate" in pace ? atRate(target, pace.rate, most) : within(target, pace, most);
}

/** Ends publishing; gives the number of messages sent so far, over all runs. */
async function stop(): Promise<number> {
  running = false;
  await ended;
  while (unanswered > 0) await sleep(1);
  return sent;
}

/** How many messages were delivered so far, as the load counts them. */
function progress(received: number): void {
  delivered = received;
}

async function atRate(target: Target, rate: number, most: number): Promise<void> {
  const begin = microseconds();
  for (let count = 0; running && count < most;) {
    const due = Math.min(most, Math.floor(((microseconds() - begin) / 1e6) * rate) + 1);
    for (; count < due; count++) publish(target);
    await sleep(1);
  }
}

async function within(target: Target, pace: Extract<Pace, { window: number }>, most: number): Promise<void> {
  const first = sent;
  const before = delivered;
  while (running && sent - first < most) {
    const taken = (delivered - before) / pace.deliveriesPerMessage;
    while (sent - first - taken < pace.window && sent - first < most && unanswered < MOST_UNANSWERED) publish(target);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function publish(target: Target): void {
  unanswered++;
  const n = sent++;
  send(addressOf(target, n), dataOf(target, n)).then(
    () => unanswered--,
    (error: unknown) => {
      unanswered--;
      console.error("A publish failed:", error);
    },
  );
}

function addressOf({ topic, sites, topics, ids }: Target, n: number): Address {
  return {
    site: sites === undefined ? undefined : siteName(n % sites),
    topic: topics === undefined ? topic : `${topic}${n % topics}`,
    filtered: ids !== undefined,
  };
}

function dataOf({ ids, topics = 1 }: Target, n: number): Data {
  return { n, at: microseconds(), id: ids === undefined ? 5 : Math.floor(n / topics) % ids, by: PADDING };
}

/** Publishes with a fixed number under way, as fast as they are answered. */
async function flood({ inFlight, seconds, target }: { inFlight: number; seconds: number; target: Target }): Promise<PublishFigures> {
  return measured(async (once) => {
    const end = microseconds() + seconds * 1e6;
    const work = async (): Promise<void> => {
      while (microseconds() < end) await once();
    };
    await Promise.all(Array.from({ length: inFlight }, work));
  }, target);
}

/** Publishes at a rate and notes how long each answer takes. */
async function pace({ rate, seconds, target }: { rate: number; seconds: number; target: Target }): Promise<PublishFigures> {
  return measured(async (once) => {
    const begin = microseconds();
    const all: Promise<void>[] = [];
    while (microseconds() - begin < seconds * 1e6) {
      const due = Math.floor(((microseconds() - begin) / 1e6) * rate);
      while (all.length < due) all.push(once());
      await sleep(1);
    }
    await Promise.all(all);
  }, target);
}

async function measured(run: (once: () => Promise<void>) => Promise<void>, target: Target): Promise<PublishFigures> {
  const latencies: number[] = [];
  let failed = 0;
  const begin = microseconds();
  await run(async () => {
    const n = sent++;
    const at = microseconds();
    try {
      await send(addressOf(target, n), dataOf(target, n));
      latencies.push(microseconds() - at);
    } catch {
      failed++;
    }
  });
  const seconds = (microseconds() - begin) / 1e6;
  return { published: latencies.length, failed, seconds, latencies: Float64Array.from(latencies) };
}

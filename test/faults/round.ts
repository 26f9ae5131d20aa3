import { absences } from "./deadlines.js";
import type { Fault } from "./faults/fault.js";
import { sleep, type Random } from "./random.js";
import type { Caller, World } from "./world.js";

/** A relay waits 3 s for a log that it can't read; the rest is for the way and a busy machine. */
const ADMITTED_WITHIN = 6000;

export interface RoundOptions {
  /** Each lane's faults happen one after another, the lanes at the same time. */
  readonly lanes: readonly (readonly Fault[])[];
  /** Full durations instead of short ones. */
  readonly full?: boolean;
  /** Messages published to busy topics, on average. */
  readonly perSecond?: number;
  /** Ends as soon as anything is found. */
  readonly untilViolation?: boolean;
}

export interface RoundReport {
  readonly faults: readonly string[];
  readonly published: number;
  readonly acknowledged: number;
  readonly deliveries: number;
  readonly resyncs: number;
  readonly slowest: number;
  readonly violations: readonly string[];
  /** What happened when, and what the relays printed last. */
  readonly story: string;
}

/** Breaks a world, waits until it is whole again, and judges what everybody heard. */
export async function playRound(
  world: World,
  { lanes, full = false, perSecond = 15, untilViolation = false }: RoundOptions,
): Promise<RoundReport> {
  const random = world.random.fork();
  const { publishers, plan } = world;
  void publishers.work(perSecond);
  await sleep(500);
  const alone = lanes.length === 1;
  await Promise.all(
    lanes.map(async (lane) => {
      const own = random.fork();
      for (const fault of lane) {
        if (!alone) await sleep(own.integer(0, 3000));
        await runFault(world, fault, { full, alone, random: own });
      }
    }),
  );
  await sleep(500);
  publishers.rest();
  await world.settle(untilViolation);
  await publishers.all([...plan.busy, ...plan.quiet]);
  await world.settle(untilViolation);
  const { violations, contradictions, deliveries, resyncs, slowest } = await world.verdict(true);
  return {
    faults: lanes.flat().map(({ kind }) => kind),
    published: world.ledger.published,
    acknowledged: world.ledger.acknowledged,
    deliveries,
    resyncs,
    slowest,
    violations: [
      ...violations.map(({ rule, client, topic, filter, story }) => `${rule}: ${client}, ${topic} ${JSON.stringify(filter)}: ${story}`),
      ...contradictions,
      ...world.complaints,
      ...world.ledger.complaints,
    ],
    story: world.story(),
  };
}

interface Play {
  readonly full: boolean;
  readonly alone: boolean;
  readonly random: Random;
}

async function runFault(world: World, fault: Fault, { full, alone, random }: Play): Promise<void> {
  const [least, most] = full ? fault.full : fault.short;
  const duration = random.integer(least, most);
  const interval: { kind: string; from: number; to: number | undefined } = { kind: fault.kind, from: Date.now(), to: undefined };
  world.faults.push(interval);
  const tails = publishTails(world, duration, random);
  const begun = Date.now();
  const stop = await fault.start({ world, random, duration, alone });
  const latecomer = await world.join(random.pick(world.plan.sites));
  endOne(world, random);
  await sleep(Math.max(0, duration - (Date.now() - begun)));
  await stop();
  interval.to = Date.now();
  await tails;
  if (!alone || fault.keepsSockets !== true) return;
  requireSockets(world, fault.kind, interval.from, interval.to);
  await requireAdmission(world, fault.kind, latecomer);
}

/** The last message of each quiet topic: half of them in the first moments of the fault, the others at any time of it. */
async function publishTails(world: World, duration: number, random: Random): Promise<void> {
  const { sites, quiet } = world.plan;
  const moments = sites.flatMap((site) =>
    quiet.map((topic, i) => ({ site, topic, at: i % 2 === 0 ? random.next() * 300 : random.next() * duration })),
  );
  await Promise.all(
    moments.map(async ({ site, topic, at }) => {
      await sleep(at);
      await world.publishers.publish(site, topic, {});
      await world.publishers.publish(site, topic, { id: random.integer(1, 3), type: random.pick(["a", "b"]) });
    }),
  );
}

/** Somebody closes a page in the middle of it all. */
function endOne(world: World, random: Random): void {
  const { client } = random.pick(world.callers.filter(({ remote }) => !remote));
  world.fleet.end(client, random.integer(0, 3));
}

/** Whoever subscribes while Redis is away is admitted all the same. */
async function requireAdmission(world: World, kind: string, { client }: Caller): Promise<void> {
  const made = world.fleet.record.subscriptions.filter(
    (subscription) => subscription.client === client && subscription.ended === undefined,
  );
  const end = Math.max(...made.map(({ asked }) => asked)) + ADMITTED_WITHIN;
  while (Date.now() < end && made.some(({ confirmed }) => confirmed === undefined)) await sleep(50);
  const late = made.filter(({ asked, confirmed }) => confirmed === undefined || confirmed > asked + ADMITTED_WITHIN);
  if (late.length > 0)
    world.complaints.push(
      `${late.length} subscriptions of ${client}, made during "${kind}", were not admitted within ${ADMITTED_WITHIN} ms`,
    );
}

function requireSockets(world: World, kind: string, from: number, to: number): void {
  for (const client of world.fleet.record.clients) {
    const lost = absences(client).find(
      (away) =>
        away.from > (client.states.find(({ state }) => state === "connected")?.at ?? Infinity) && away.from >= from && away.from <= to,
    );
    if (lost !== undefined)
      world.complaints.push(`${client.client} lost its connection during "${kind}", at ${lost.from}: ${client.errors.join(" | ")}`);
  }
}

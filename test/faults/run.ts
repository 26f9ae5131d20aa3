/**
 * npm run faults -- --minutes 10        mixed rounds with full durations
 *   --seed N       the same choices again       --parallel N   worlds at a time, default 4
 *   --round N      one mixed round, by its seed --only a,b     faults by kind
 *   --alone        each fault once, by itself   --short        short durations
 *   --verbose      after violations: when what broke, and the relays' last lines
 */
import { parseArgs } from "node:util";
import { playAlone } from "./alone.js";
import type { StoreKind } from "./faults/fault.js";
import { FAULTS } from "./faults/index.js";
import { Deck, drawMix, lanesOf } from "./mixes.js";
import { openWorld } from "./open-world.js";
import { LARGE, SMALL } from "./plan.js";
import { Pool } from "./pool.js";
import { chooseSeed, Random } from "./random.js";
import { playRound, type RoundReport } from "./round.js";
import { Summary } from "./summary.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string" },
    round: { type: "string" },
    parallel: { type: "string", default: "4" },
    only: { type: "string" },
    alone: { type: "boolean", default: false },
    short: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});

const STORES: readonly StoreKind[] = ["plain", "append-only", "sentinel", "cluster"];
/** A round takes about so long; none is begun that would go on much beyond the time. */
const ROUND_MS = 50_000;

const haproxy = "haproxy";
const only = values.only?.split(",").map((kind) => kind.trim());
const faults = only === undefined ? FAULTS : FAULTS.filter(({ kind }) => only.includes(kind));
if (faults.length === 0) throw new Error(`--only knows ${FAULTS.map(({ kind }) => kind).join(", ")}`);
const seed = chooseSeed(values.seed ?? process.env.FAULTS_SEED);
const full = !values.short;
const pool = new Pool(Number(values.parallel));
const summary = new Summary();
const begun = Date.now();

console.log(`seed ${seed}`);
if (values.alone)
  await Promise.all(faults.map((fault) => pool.run(() => report(fault.kind, () => playAlone(fault, { seed, haproxy, full })))));
else if (values.round !== undefined) await report(`round ${values.round}`, () => playMix(Number(values.round)));
else await playMixes(Number(values.minutes) * 60_000);
console.log(summary.text(Date.now() - begun));
process.exit(summary.violations === 0 ? 0 : 1);

async function playMixes(ms: number): Promise<void> {
  const deck = new Deck(new Random(seed), faults.length);
  const rounds: Promise<void>[] = [];
  const worker = async (): Promise<void> => {
    do {
      const own = deck.next();
      await report(`round ${own}`, () => playMix(own));
    } while (Date.now() - begun + ROUND_MS < ms);
  };
  for (let i = 0; i < Number(values.parallel); i++) rounds.push(worker());
  await Promise.all(rounds);
}

async function playMix(own: number): Promise<RoundReport> {
  const random = new Random(own);
  const mix = drawMix(random, random.integer(2, 4), faults, STORES);
  const world = await openWorld({
    ...mix,
    random: random.fork(),
    haproxy,
    plan: random.chance(0.3) ? LARGE : SMALL,
    relays: random.integer(2, 3),
  });
  try {
    return await playRound(world, { lanes: lanesOf(mix.faults), full, perSecond: random.integer(10, 60) });
  } finally {
    await world.close();
  }
}

async function report(name: string, play: () => Promise<RoundReport>): Promise<void> {
  const from = Date.now();
  let outcome: RoundReport;
  try {
    outcome = await play();
  } catch (error) {
    // A world that could not be put up, or a fault that could not be undone, shows nothing and must be looked at.
    outcome = {
      faults: [],
      published: 0,
      acknowledged: 0,
      deliveries: 0,
      resyncs: 0,
      slowest: 0,
      violations: [`broke off: ${(error as Error).stack}`],
      story: "",
    };
  }
  summary.add(outcome);
  const { violations, published, deliveries, resyncs, slowest } = outcome;
  const verdict = violations.length === 0 ? "ok" : `${violations.length} VIOLATIONS`;
  const figures = `${published} published, ${deliveries} heard, ${resyncs} resyncs, slowest ${slowest} ms`;
  console.log(`${name} (${((Date.now() - from) / 1000).toFixed(0)} s) ${outcome.faults.join(" + ")}: ${verdict}; ${figures}`);
  for (const violation of violations.slice(0, 15)) console.log(`    ${violation}`);
  if (values.verbose && violations.length > 0) console.log(outcome.story);
}

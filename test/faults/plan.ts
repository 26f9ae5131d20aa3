import type { ClientPlan } from "./fleet/client-plan.js";
import type { Random } from "./random.js";

/** What a world is made of: the sites, the topics and who subscribes what. */
export interface Plan {
  readonly sites: readonly string[];
  /** Topics that are published to all the time. */
  readonly busy: readonly string[];
  /** Topics that get one message during a fault and nothing after it: a loss there is not noticed by what follows. */
  readonly quiet: readonly string[];
  readonly clientsPerSite: number;
}

export const SMALL: Plan = {
  sites: ["alpha", "beta"],
  busy: ["busy.0", "busy.1"],
  quiet: ["quiet.0", "quiet.1", "quiet.2", "quiet.3", "quiet.4", "quiet.5"],
  clientsPerSite: 4,
};

export const LARGE: Plan = {
  sites: ["alpha", "beta", "gamma"],
  busy: ["busy.0", "busy.1", "busy.2"],
  quiet: Array.from({ length: 12 }, (_, i) => `quiet.${i}`),
  clientsPerSite: 8,
};

const IDS = [1, 2, 3];
const TYPES = ["a", "b"];

/** The keys of one message, for filters to match or not. */
export function drawKeys(random: Random): Record<string, unknown> {
  if (random.chance(0.1)) return {};
  const id = random.chance(0.1) ? String(random.pick(IDS)) : random.pick(IDS);
  return random.chance(0.2) ? { id } : { id, type: random.pick(TYPES) };
}

/** Keys of which each filter that is in use matches some. */
export function allKeys(): Record<string, unknown>[] {
  return IDS.flatMap((id) => TYPES.map((type) => ({ id, type })));
}

/** None, one key, two keys, any of several. */
function drawFilter(random: Random): Record<string, unknown> {
  return random.pick([
    {},
    { id: random.pick(IDS) },
    { id: random.pick(IDS), type: random.pick(TYPES) },
    { id: random.some(IDS, 2) },
    { type: TYPES, id: random.some(IDS, 2) },
  ]);
}

/** What one client subscribes: every kind of filter on busy topics, and a few quiet ones. */
export function drawSubscriptions(plan: Plan, random: Random): ClientPlan["subscriptions"] {
  const replay = random.chance(0.25);
  const onBusy = plan.busy.flatMap((topic) => [
    { topic, filter: {}, replay },
    { topic, filter: drawFilter(random), replay },
  ]);
  const onQuiet = random
    .some(plan.quiet, Math.ceil(plan.quiet.length * 0.6))
    .map((topic) => ({ topic, filter: random.chance(0.5) ? {} : drawFilter(random), replay }));
  return [...onBusy, ...onQuiet];
}

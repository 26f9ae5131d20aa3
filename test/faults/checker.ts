import type { TrueMessage } from "./ledger.js";
import { deadlines, type Deadlines } from "./deadlines.js";
import type { ClientRecord, FleetRecord, Filter, Heard, HeardMessage, Interval, Stranding, SubscriptionRecord } from "./record.js";

export interface Facts {
  /** `Ledger.truth` */
  readonly logs: ReadonlyMap<string, readonly TrueMessage[]>;
  readonly fleets: readonly FleetRecord[];
  readonly faults: readonly Interval[];
  readonly strandings?: readonly Stranding[];
  readonly world: string;
  readonly now: number;
}

export interface Violation {
  readonly rule:
    "foreign" | "filter" | "twice" | "order" | "epoch" | "silent" | "late" | "never" | "ended" | "refused" | "unconfirmed" | "away";
  readonly client: string;
  readonly topic: string;
  readonly filter: Filter;
  readonly story: string;
}

export interface Verdict {
  readonly violations: readonly Violation[];
  /** Messages that are owed still and whose time is not up. */
  readonly pending: number;
  readonly deliveries: number;
  readonly resyncs: number;
  /** The longest that anybody had to wait for a message or its resync, in milliseconds after whatever excuses a wait had ended. */
  readonly slowest: number;
}

/** Resyncs spread a little, while messages go on: one may come so long after the message that shows the hole. */
const SPREAD = 2000;
/** A client that is away this long after the last fault has not come back. Finding a silent connection takes two pings, 25 s. */
const BACK_WITHIN = 45_000;

/**
 * Judges what every subscription heard against what the logs held. Pure.
 *
 * The rules: nothing foreign; every message at most once and in the order of its log; another epoch only with a resync; and
 * each message of the log that the filter matches was heard, or a resync came after it was appended, before anything behind
 * it was taken for the next one, and within 10 s of the message, the fault's end or the client's return.
 */
export function check(facts: Facts): Verdict {
  const total = { violations: [] as Violation[], pending: 0, deliveries: 0, resyncs: 0, slowest: 0 };
  for (const fleet of facts.fleets) {
    const within = new Map(fleet.clients.map((client) => [client.client, deadlines(client, facts.faults, facts.strandings ?? [])]));
    for (const client of fleet.clients) total.violations.push(...checkReturn(client, facts));
    for (const subscription of fleet.subscriptions) {
      const verdict = checkSubscription(subscription, facts, within.get(subscription.client) as Deadlines);
      total.violations.push(...verdict.violations);
      total.pending += verdict.pending;
      total.deliveries += verdict.deliveries;
      total.resyncs += verdict.resyncs;
      total.slowest = Math.max(total.slowest, verdict.slowest);
    }
  }
  return total;
}

function checkReturn(record: ClientRecord, { faults, strandings = [], now }: Facts): Violation[] {
  const { client, states, errors } = record;
  const last = states[states.length - 1];
  if (last === undefined || last.state === "closed") return [];
  if (last.state === "connected") {
    const stuck = strandings.find((one) => one.client === client && one.from > last.at && now - one.from > BACK_WITHIN);
    if (stuck === undefined) return [];
    return [{ rule: "away", client, topic: "", filter: {}, story: `holds on to a connection that is dead since ${stuck.from}` }];
  }
  const since = Math.max(last.at, ...faults.map(({ to }) => to ?? now));
  const final = last.state === "failed" || last.state === "off";
  if (!final && now - since < BACK_WITHIN) return [];
  const story = `is ${last.state} ${now - since} ms after the last fault; its last error: ${errors[errors.length - 1] ?? "none"}`;
  return [{ rule: "away", client, topic: "", filter: {}, story }];
}

function checkSubscription(subscription: SubscriptionRecord, facts: Facts, within: Deadlines): Verdict {
  const { client, site, topic, filter, heard, error } = subscription;
  const violations: Violation[] = [];
  const complain = (rule: Violation["rule"], story: string): void => void violations.push({ rule, client, topic, filter, story });
  if (error !== undefined) complain("refused", error);
  checkHeard(subscription, facts, complain);
  const matching = (facts.logs.get(`${site}:${topic}`) ?? []).filter(({ content }) => matches(filter, content));
  const owed = checkOwed(subscription, matching, facts.now, within, complain);
  owed.pending += checkConfirmed(subscription, facts.now, within, complain);
  const resyncs = heard.filter(({ kind }) => kind === "resync").length;
  return { violations, ...owed, deliveries: heard.length - resyncs, resyncs };
}

/** Whether what was heard may be heard at all, and in this order. */
function checkHeard(
  { site, topic, filter, heard, ended }: SubscriptionRecord,
  { world }: Facts,
  complain: (rule: Violation["rule"], story: string) => void,
): void {
  const seen = new Set<string>();
  let last: HeardMessage | undefined;
  let resynced = false;
  heard.forEach((event, i) => {
    if (ended !== undefined && event.at > ended) complain("ended", `${show(event)} came after the end at ${ended}`);
    if (event.kind === "resync") {
      if (event.topic !== topic) complain("foreign", `a resync of ${event.topic}`);
      resynced = true;
      return;
    }
    const { data } = event;
    if (event.topic !== topic || data.topic !== topic || data.site !== site || data.world !== world) {
      complain("foreign", `${show(event)} holds ${JSON.stringify(data)}; the subscription is of site ${site}`);
      return;
    }
    if (!matches(filter, data)) complain("filter", `${show(event)} holds ${JSON.stringify(data)}`);
    const place = `${event.epoch}-${event.offset}`;
    if (seen.has(place)) complain("twice", show(event));
    else if (last !== undefined && last.epoch === event.epoch && event.offset < last.offset)
      complain("order", `${show(event)} came after ${show(last)}`);
    else if (last !== undefined && last.epoch !== event.epoch && !resynced && !resyncFollows(heard, i)) {
      complain("epoch", `${show(event)} came after ${show(last)} without a resync`);
    }
    seen.add(place);
    last = event;
    resynced = false;
  });
}

function resyncFollows(heard: readonly Heard[], index: number): boolean {
  const { at } = heard[index] as Heard;
  return heard.slice(index + 1).some((event) => event.kind === "resync" && event.at <= at + SPREAD);
}

/** Whether it was confirmed in time; 1 where there is time left. */
function checkConfirmed(
  { asked, confirmed, ended, error }: SubscriptionRecord,
  now: number,
  within: Deadlines,
  complain: (rule: Violation["rule"], story: string) => void,
): number {
  if (confirmed !== undefined || ended !== undefined || error !== undefined) return 0;
  if (now <= within.excused(asked) + within.patience) return 1;
  complain("unconfirmed", `asked for at ${asked} and not confirmed at ${now}`);
  return 0;
}

/** Whether everything owed was heard, or covered by a resync in time. */
function checkOwed(
  { heard, confirmed, ended }: SubscriptionRecord,
  matching: readonly TrueMessage[],
  now: number,
  within: Deadlines,
  complain: (rule: Violation["rule"], story: string) => void,
): { pending: number; slowest: number } {
  let pending = 0;
  let slowest = 0;
  const deliveries = heard.filter((event) => event.kind === "message");
  const resyncs = heard.filter((event) => event.kind === "resync");
  const delivered = new Map(deliveries.map((message) => [`${message.epoch}-${message.offset}`, message.at]));
  for (const message of matching) {
    if (confirmed === undefined || message.since <= confirmed || (ended !== undefined && message.by >= ended)) continue;
    const excused = within.excused(message.by);
    const deadline = excused + within.patience;
    const at = delivered.get(`${message.epoch}-${message.offset}`);
    if (at !== undefined) {
      slowest = Math.max(slowest, at - excused);
      if (at > deadline) complain("late", `${tell(message)} was heard ${at - excused} ms after the last excuse`);
      continue;
    }
    const next = deliveries.find((event) => isBehind(event, message));
    const until = Math.min(deadline, next === undefined ? Infinity : next.at + SPREAD);
    const resync = resyncs.find((event) => event.at >= message.since - 2 && event.at <= until);
    if (resync !== undefined) slowest = Math.max(slowest, resync.at - excused);
    else if (ended !== undefined && ended <= until) continue;
    else if (now <= until) pending++;
    else if (next !== undefined && next.at <= deadline)
      complain("silent", `${tell(message)} is missing before ${show(next)}, and no resync says so`);
    else
      complain("never", `${tell(message)} was neither heard nor resynced within ${within.patience} ms after the last excuse (${excused})`);
  }
  return { pending, slowest };
}

function isBehind(event: HeardMessage, { epoch, offset }: TrueMessage): boolean {
  return event.epoch === epoch ? event.offset > offset : Number(event.epoch) > Number(epoch);
}

/** The checker's own reading of a filter: nothing of the project's is involved. */
export function matches(filter: Filter, data: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(filter).every(([key, wanted]) => (Array.isArray(wanted) ? wanted.includes(data[key]) : data[key] === wanted));
}

function show(event: Heard): string {
  if (event.kind === "resync") return `a resync at ${event.at}`;
  return `message ${String(event.data.n)} (${event.epoch}-${event.offset}, heard at ${event.at}${event.replay ? ", replayed" : ""})`;
}

function tell({ content, epoch, offset, since, by }: TrueMessage): string {
  return `message ${content.n} (${epoch}-${offset}, appended between ${since} and ${by})`;
}

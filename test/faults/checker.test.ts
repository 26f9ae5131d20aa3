import { expect } from "chai";
import { check, matches, type Verdict } from "./checker.js";
import type { TrueMessage } from "./ledger.js";
import type { ClientRecord, Heard, Interval, Stranding, SubscriptionRecord } from "./record.js";

const EPOCH = "100";

interface Story {
  /** The offsets of the log, each appended at that many seconds. */
  readonly log?: readonly number[];
  readonly heard?: readonly Heard[];
  readonly faults?: readonly Interval[];
  readonly strandings?: readonly Stranding[];
  readonly states?: ClientRecord["states"];
  readonly subscription?: Partial<SubscriptionRecord>;
  readonly more?: readonly TrueMessage[];
  readonly now?: number;
}

const content = (n: number): TrueMessage["content"] => ({ n, world: "w", site: "5", topic: "T", id: 1 });

function truth(offset: number, epoch: string = EPOCH): TrueMessage {
  return { epoch, offset, content: content(offset), since: offset * 1000, by: offset * 1000 + 5 };
}

function message(offset: number, at = offset * 1000 + 10, change: object = {}): Heard {
  return { kind: "message", at, topic: "T", epoch: EPOCH, offset, time: offset * 1000, data: content(offset), replay: false, ...change };
}

function resync(at: number): Heard {
  return { kind: "resync", at, topic: "T" };
}

/** Judges one subscription of one client, made before anything was published, a minute later. */
function judge(story: Story): Verdict {
  const { log = [1, 2, 3], heard = [], faults = [], strandings = [], states, subscription = {}, more = [], now = 60_000 } = story;
  const client = { client: "c", site: "5", states: states ?? [{ state: "connected", at: 0 }], errors: [] };
  const record = {
    client: "c",
    site: "5",
    topic: "T",
    filter: { id: 1 },
    asked: 0,
    confirmed: 0,
    ended: undefined,
    error: undefined,
    heard: [...heard],
  };
  const logs = new Map([["5:T", [...log.map((offset) => truth(offset)), ...more]]]);
  return check({
    logs,
    fleets: [{ clients: [client], subscriptions: [{ ...record, ...subscription }] }],
    faults,
    strandings,
    world: "w",
    now,
  });
}

const rules = (story: Story): string[] => judge(story).violations.map(({ rule }) => rule);

describe("the checker of the faults", () => {
  it("is content with everything in order", () => {
    const verdict = judge({ heard: [message(1), message(2), message(3)] });
    expect(verdict).to.deep.equal({ violations: [], pending: 0, deliveries: 3, resyncs: 0, slowest: 5 });
  });

  it("finds a hole that no resync covers, and a lost last message", () => {
    expect(rules({ heard: [message(1), message(3)] })).to.deep.equal(["silent"]);
    expect(rules({ heard: [message(1), message(2)] })).to.deep.equal(["never"]);
  });

  it("waits for what may still come", () => {
    expect(judge({ heard: [message(1), message(2)], now: 12_000 })).to.deep.include({ violations: [], pending: 1 });
  });

  it("takes a resync after the message for it, also one that comes a little after what is behind the hole", () => {
    expect(rules({ heard: [message(1), resync(2500), message(3)] })).to.deep.equal([]);
    expect(rules({ heard: [message(1), message(3), resync(3500)] })).to.deep.equal([]);
    expect(rules({ heard: [message(1), message(2), resync(4000)] })).to.deep.equal([]);
  });

  it("takes no resync that came before the message, or long after what is behind the hole, or too late", () => {
    expect(rules({ heard: [message(1), resync(1900), message(3)] })).to.deep.equal(["silent"]);
    expect(rules({ heard: [message(1), message(3), resync(7000)] })).to.deep.equal(["silent"]);
    expect(rules({ heard: [message(1), message(2), resync(14_000)] })).to.deep.equal(["never"]);
  });

  it("finds a message that came too late, and counts from the end of a fault or absence", () => {
    const heard = [message(1), message(2), message(3, 20_000)];
    expect(rules({ heard })).to.deep.equal(["late"]);
    expect(rules({ heard, faults: [{ kind: "x", from: 2500, to: 11_000 }] })).to.deep.equal([]);
    expect(rules({ heard, faults: [{ kind: "x", from: 14_000, to: 15_000 }] }), "a fault after the time was up").to.deep.equal(["late"]);
    const back = [
      { state: "connected", at: 0 },
      { state: "waiting", at: 2500 },
      { state: "connected", at: 11_000 },
    ];
    expect(rules({ heard, states: back })).to.deep.equal([]);
    expect(judge({ heard, states: back }).slowest).to.equal(9000);
  });

  it("counts from a stranded client's next connection, and finds one that never comes back", () => {
    const heard = [message(1), message(2), message(3, 34_000)];
    const states = [
      { state: "connected", at: 0 },
      { state: "waiting", at: 28_000 },
      { state: "connected", at: 29_000 },
    ];
    const strandings = [{ client: "c", from: 2500 }];
    expect(rules({ heard, states, strandings })).to.deep.equal([]);
    expect(rules({ heard: [], log: [], strandings })).to.deep.equal(["away"]);
    expect(rules({ heard: [], log: [], states: states.slice(0, 2), now: 100_000 })).to.deep.equal(["away"]);
  });

  it("finds a message twice, and out of order", () => {
    expect(rules({ heard: [message(1), message(2), message(2), message(3)] })).to.deep.equal(["twice"]);
    expect(rules({ heard: [message(2), message(1), message(3)] })).to.deep.equal(["order"]);
  });

  it("finds another epoch without a resync", () => {
    const next = { ...truth(1, "200"), since: 5000, by: 5005 };
    const first = message(1, 5010, { epoch: "200" });
    const heard = [message(1), message(2), message(3), first];
    expect(rules({ heard, more: [next] })).to.deep.equal(["epoch"]);
    expect(rules({ heard: [...heard, resync(5050)], more: [next] })).to.deep.equal([]);
    expect(rules({ heard: [message(1), message(2), message(3), resync(4900), first], more: [next] })).to.deep.equal([]);
  });

  it("finds what belongs to another site, topic or world, and what the filter does not want", () => {
    for (const change of [{ site: "6" }, { topic: "U" }, { world: "x" }]) {
      expect(rules({ log: [], heard: [message(1, 1010, { data: { ...content(1), ...change } })] })).to.deep.equal(["foreign"]);
    }
    expect(rules({ log: [], heard: [message(1, 1010, { data: { ...content(1), id: "1" } })] })).to.deep.equal(["filter"]);
  });

  it("owes nothing from before the first confirmation and after the end, and allows nothing after it", () => {
    expect(rules({ heard: [message(2), message(3)], subscription: { confirmed: 1500 } })).to.deep.equal([]);
    expect(rules({ heard: [message(1), message(2)], subscription: { ended: 2500 } })).to.deep.equal([]);
    expect(rules({ heard: [message(1), message(2), message(3)], subscription: { ended: 2500 } })).to.deep.equal(["ended"]);
  });

  it("finds a subscription that was refused", () => {
    expect(rules({ log: [], subscription: { error: "no" } })).to.deep.equal(["refused"]);
  });

  it("finds a subscription that is not confirmed in time", () => {
    const story = { log: [], subscription: { asked: 1000, confirmed: undefined } };
    expect(rules(story)).to.deep.equal(["unconfirmed"]);
    expect(judge({ ...story, now: 10_000 })).to.deep.include({ violations: [], pending: 1 });
    expect(rules({ ...story, faults: [{ kind: "x", from: 1000, to: 55_000 }] })).to.deep.equal([]);
  });

  it("reads filters as the contract does", () => {
    expect(matches({}, { a: 1 })).to.equal(true);
    expect(matches({ a: 1, b: [2, 3] }, { a: 1, b: 3 })).to.equal(true);
    expect(matches({ a: 1 }, { a: "1" })).to.equal(false);
    expect(matches({ a: [1] }, {})).to.equal(false);
  });
});

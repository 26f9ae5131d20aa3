import { setImmediate as nextTurn } from "node:timers/promises";
import { expect } from "chai";
import { TurnWatch } from "../../server/src/observe/stall.js";
import { ITEMS_A_TURN, Slices } from "../../server/src/pacing/slices.js";
import { Attacked } from "./bounds.js";
import { FeedHarness, Listener } from "./feed-harness.js";
import { eventually, eventuallyAsked, request, Stage } from "./stage.js";

const MEMBERS = 5000;

describe("long work comes in many turns", () => {
  const stage = Stage.forEachTest();

  it("where a topic's members are told to refetch: each hears nothing before that, and everything after it", async () => {
    const harness = await FeedHarness.live();
    const listeners = Array.from({ length: MEMBERS }, () => new Listener());
    for (const listener of listeners) harness.join(listener);
    harness.feed.resyncAgain();
    const told = (): number => listeners.filter(({ resyncs }) => resyncs.length > 0).length;
    expect(told()).to.equal(ITEMS_A_TURN);
    const gone = listeners[MEMBERS - 1] as Listener;
    harness.leave(gone);
    for (let turns = 0; told() < MEMBERS - 1; turns++) {
      const before = told();
      harness.publish({ id: turns });
      harness.feed.flush();
      await nextTurn();
      expect(told() - before, "told in one turn").to.be.at.most(ITEMS_A_TURN);
    }
    harness.publish({ id: "last" });
    harness.feed.flush();
    const head = harness.feed.head?.offset as number;
    for (const listener of listeners.slice(0, -1)) {
      expect(listener.packets[0]?.event).to.equal("resync");
      expect(listener.resyncs).to.have.length(1);
      const from = (listener.resyncs[0]?.offset ?? 0) + 1;
      expect(listener.offsets.flat()).to.deep.equal(Array.from({ length: head - from + 1 }, (_, i) => from + i));
    }
    expect(gone.packets).to.deep.equal([]);
  });

  it("where a topic has gone on for long: what comes meanwhile waits for its place", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    for (let id = 0; id < 2000; id++) harness.append({ id });
    harness.feed.suspect();
    const heads = new Set<number>();
    for (let turn = 0; !harness.feed.live; turn++) {
      if (turn === 3) harness.publish({ id: "meanwhile" });
      await nextTurn();
      heads.add(harness.feed.head?.offset as number);
    }
    harness.feed.flush();
    expect(heads.size).to.be.above(4);
    expect(listener.resyncs).to.deep.equal([]);
    expect(listener.offsets.flat()).to.deep.equal(Array.from({ length: 2001 }, (_, i) => i + 1));
  });

  it("by turns of those that it is for, and for each in order", async () => {
    const slices = new Slices(0.0001);
    const [ann, bob] = [{}, {}];
    const done: string[] = [];
    const run = (whom: object, name: string): Promise<void> => slices.run(whom, () => void done.push(name));
    await Promise.all([run(ann, "a0"), ...[1, 2, 3, 4].map((n) => run(ann, `a${n}`)), run(bob, "b1"), run(bob, "b2")]);
    expect(done.indexOf("b1")).to.be.below(done.indexOf("a3"));
    expect(done.filter((name) => name.startsWith("a"))).to.deep.equal(["a0", "a1", "a2", "a3", "a4"]);
  });

  it("and what takes longer than 50 ms is counted", async () => {
    const turns = new TurnWatch();
    await nextTurn();
    expect(turns.long).to.equal(0);
    const until = performance.now() + 120;
    while (performance.now() < until);
    await eventually(() => turns.long > 0, "the long turn is counted");
    turns.stop();
    const relay = await stage.relay();
    expect((await request(`${relay.httpUrl}/metrics`)).text).to.match(/^bellwire_long_turns_total \d+$/m);
  });
});

describe("a connection with 1,000 subscriptions", function () {
  this.timeout(30_000);
  let relay: Attacked;

  before(async () => {
    relay = await Attacked.start();
  });

  after(() => relay.close());

  it("ends without keeping anybody waiting", async () => {
    const client = await relay.connect();
    const items = Array.from({ length: 1000 }, (_, i) => ({
      id: `i${i}`,
      topic: `t${i}`,
      filter: { a: [1, 2, 3, 4, 5].map((n) => n + i) },
    }));
    await relay.during(async () => {
      await client.emit("subscribe", items);
      expect((await relay.spent()).subscriptions).to.equal(1001);
      client.close();
      await eventuallyAsked(async () => (await relay.spent()).subscriptions === 1, "all have ended");
    });
  });
});

import { expect } from "chai";
import { parseFilter } from "@bellwire/protocol";
import { FeedHarness, Listener } from "./feed-harness.js";

/** A promise and its ends, for reads that answer when the test says. */
function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a feed delivers", () => {
  it("one packet per room and turn, in offset order", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    harness.publish({ id: 1 });
    harness.publish({ id: 2 });
    expect(listener.packets, "nothing before the turn ends").to.deep.equal([]);
    harness.feed.flush();
    expect(listener.offsets).to.deep.equal([[1, 2]]);
    expect(harness.flushes, "one flush for the turn").to.equal(1);
  });

  it("exactly what the filter matches", async () => {
    const harness = await FeedHarness.live();
    const five = new Listener();
    harness.join(five, { id: 5 });
    for (const id of [5, "5", 6, null, true, 5.0]) harness.publish({ id });
    harness.publish({});
    harness.feed.flush();
    expect(five.offsets).to.deep.equal([[1, 6]]);
  });

  it("a message of two rooms once to a socket that sits in both, and interleaved rooms merged in offset order", async () => {
    const harness = await FeedHarness.live();
    const both = new Listener();
    const one = new Listener();
    harness.join(both, { id: 1 });
    harness.join(both, { type: "a" });
    harness.join(one, { id: 1 });
    harness.publish({ id: 1 });
    harness.publish({ type: "a" });
    harness.publish({ id: 1, type: "a" });
    harness.publish({ id: 1 });
    harness.feed.flush();
    expect(both.offsets).to.deep.equal([[1, 2, 3, 4]]);
    expect(one.offsets).to.deep.equal([[1, 3, 4]]);
  });

  it("shares one frame between sockets that are in the same several rooms", async () => {
    const harness = await FeedHarness.live();
    const frames = new Set<unknown>();
    const sockets = Array.from({ length: 10 }, () => new Listener());
    for (const socket of sockets) {
      socket.send = (frame) => void frames.add(frame);
      harness.join(socket, { id: 1 });
      harness.join(socket, {});
    }
    harness.publish({ id: 1 });
    harness.publish({ id: 2 });
    harness.feed.flush();
    expect(frames.size).to.equal(1);
  });

  it("nothing of what was published before a join, although its batch was still pending", async () => {
    const harness = await FeedHarness.live();
    const early = new Listener();
    const late = new Listener();
    harness.join(early);
    harness.publish({ id: 1 });
    harness.join(late); // the ack says offset 1
    harness.publish({ id: 2 });
    harness.feed.flush();
    expect(early.offsets).to.deep.equal([[1], [2]]);
    expect(late.offsets).to.deep.equal([[2]]);
  });

  it("what was published before a leave, although its batch was still pending, and nothing after it", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    harness.publish({ id: 1 });
    harness.leave(listener);
    harness.publish({ id: 2 });
    harness.feed.flush();
    expect(listener.offsets).to.deep.equal([[1]]);
  });

  it("on when one of two subscriptions that share a room ends", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener, { id: [1, 2] });
    harness.join(listener, { id: [2, 3] });
    harness.leave(listener, { id: [1, 2] });
    for (const id of [1, 2, 3]) harness.publish({ id });
    harness.feed.flush();
    expect(listener.offsets).to.deep.equal([[2, 3]]);
  });

  it("the pending batch before the positions that would carry the cursor past it", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    harness.publish({ id: 1 });
    expect(harness.feed.untold()?.members, "a member with a pending batch counts as untold until the flush").to.have.length(1);
    harness.feed.flush();
    expect(harness.feed.untold(), "and as told after it").to.equal(undefined);
  });

  it("nothing of a message to those it leaves out, and counts them as still to be told", async () => {
    const harness = await FeedHarness.live();
    const sender = new Listener("ann", "s1", "tab1");
    const otherTab = new Listener("ann", "s1", "tab2");
    harness.join(sender);
    harness.join(otherTab);
    harness.publish({ id: 1 });
    harness.publish({ id: 2 }, { client: "tab1" });
    harness.publish({ id: 3 });
    harness.feed.flush();
    expect(sender.offsets).to.deep.equal([[1, 3]]);
    expect(otherTab.offsets).to.deep.equal([[1, 2, 3]]);
    harness.publish({ id: 4 }, { user: "ann" });
    harness.feed.flush();
    expect(sender.offsets).to.deep.equal([[1, 3]]);
    expect(harness.feed.untold()?.members.map((member) => member.recipient)).to.have.members([sender, otherTab]);
  });

  it("an entry that is no JSON object to nobody, and goes on", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    for (const data of ["nonsense", "5", '"x"', "[1]", "[]", "{}"]) {
      harness.entries.push({ offset: harness.entries.length + 1, time: 1, data, except: undefined });
      harness.feed.hear("100", harness.entries[harness.entries.length - 1] as never);
      await settled(); // each is looked up in the log, which has it
    }
    harness.feed.flush();
    expect(listener.packets).to.deep.equal([
      {
        event: "messages",
        epoch: "100",
        batch: [
          [5, 1, {}],
          [6, 1, {}],
        ],
      },
    ]);
  });
});

describe("a feed proves that nothing is missing", () => {
  it("merges what came over the channel between its confirmation and the tail read", async () => {
    const harness = new FeedHarness();
    harness.append({ id: 1 });
    const read = deferred<ReturnType<FeedHarness["tail"]>>();
    harness.onRead.push(() => read.promise);
    const opening = harness.feed.catchUp();
    const tail = harness.tail();
    harness.publish({ id: 2 }); // after the read was answered, before it arrived
    read.resolve(tail);
    await opening;
    expect(harness.feed.head).to.deep.equal({ epoch: "100", offset: 2 });
    expect(harness.feed.ring.after(0)?.map((message) => message.offset)).to.deep.equal([1, 2]);
  });

  it("does not deliver twice what both the read and the channel brought", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    const lost = harness.append({ id: 1 });
    harness.publish({ id: 2 }); // a gap: reads the log, which has both
    await settled();
    harness.feed.hear("100", lost);
    harness.feed.hear("100", harness.entries[1] as never);
    harness.publish({ id: 3 });
    harness.feed.flush();
    expect(listener.offsets.flat()).to.deep.equal([1, 2, 3]);
    expect(listener.resyncs).to.deep.equal([]);
  });

  it("resyncs where the log can't prove the missing part", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    for (let id = 1; id <= 5; id++) harness.append({ id });
    harness.entries.splice(0, 3); // trimmed
    harness.publish({ id: 6 });
    await settled();
    harness.feed.flush();
    expect(listener.packets).to.deep.equal([{ event: "resync", position: { epoch: "100", offset: 6 }, cause: "gap" }]);
    harness.publish({ id: 7 });
    harness.feed.flush();
    expect(listener.offsets).to.deep.equal([[7]]);
  });

  it("resyncs at a new epoch, delivers the old epoch's batch under the old one first, and goes on under the new", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    harness.publish({ id: 1 });
    harness.entries = [];
    harness.epoch = "200";
    harness.publish({ id: 2 });
    await settled();
    harness.publish({ id: 3 });
    harness.feed.flush();
    expect(listener.packets.map((packet) => [packet.event, "epoch" in packet ? packet.epoch : packet.position.epoch])).to.deep.equal([
      ["messages", "100"],
      ["resync", "200"],
      ["messages", "200"],
    ]);
    expect(listener.offsets).to.deep.equal([[1], [2]]);
  });

  it("finds a lost last message by comparing heads", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    harness.append({ id: 1 });
    harness.feed.compare(harness.tail(harness.feed.head));
    harness.feed.flush();
    expect(listener.offsets).to.deep.equal([[1]]);
  });

  it("takes no harm from a comparison that the channel has overtaken", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    const before = harness.tail(harness.feed.head);
    harness.publish({ id: 1 });
    harness.feed.compare(before);
    harness.feed.flush();
    expect(listener.offsets).to.deep.equal([[1]]);
    expect(listener.resyncs).to.deep.equal([]);
  });

  it("does not go live on a read that began before its channel was cut", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    const read = deferred<ReturnType<FeedHarness["tail"]>>();
    harness.onRead.push(() => read.promise);
    harness.feed.suspect();
    const stale = harness.tail(harness.feed.head);
    harness.feed.suspend(); // cut and restored while the read was under way
    harness.append({ id: 1 }); // lost on the dead channel
    read.resolve(stale);
    await harness.feed.catchUp();
    harness.feed.flush();
    expect(listener.offsets).to.deep.equal([[1]]);
  });

  it("does not go live on a read that began before its channel was confirmed", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    harness.hearing = false;
    harness.feed.suspend();
    const read = deferred<ReturnType<FeedHarness["tail"]>>();
    harness.onRead.push(() => read.promise);
    const caughtUp = harness.feed.catchUp();
    const stale = harness.tail(harness.feed.head);
    harness.append({ id: 1 }); // after the read, and before anybody listens
    harness.hearing = true;
    read.resolve(stale);
    await caughtUp;
    harness.feed.flush();
    expect(listener.offsets).to.deep.equal([[1]]);
  });

  it("delivers nothing while the channel is away, and everything once after", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    harness.hearing = false;
    harness.feed.suspend();
    for (let id = 1; id <= 3; id++) harness.append({ id });
    await harness.feed.catchUp().catch(() => undefined);
    harness.hearing = true;
    await harness.feed.catchUp();
    harness.feed.flush();
    expect(listener.offsets.flat()).to.deep.equal([1, 2, 3]);
  });

  it("reads again after a failed read, and loses nothing by it", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    harness.onRead.push(() => Promise.reject(new Error("away")));
    harness.append({ id: 1 });
    harness.publish({ id: 2 });
    await settled();
    expect(harness.feed.live).to.equal(false);
    await harness.feed.catchUp();
    harness.feed.flush();
    expect(listener.offsets.flat()).to.deep.equal([1, 2]);
  });

  it("resyncs those who joined while it could not vouch for its head, once it can", async () => {
    const harness = await FeedHarness.live();
    const before = new Listener();
    const during = new Listener();
    harness.join(before);
    harness.hearing = false;
    harness.feed.suspend();
    harness.join(during);
    harness.append({ id: 1 });
    harness.hearing = true;
    await harness.feed.catchUp();
    harness.feed.flush();
    expect(before.resyncs).to.deep.equal([]);
    expect(before.offsets).to.deep.equal([[1]]);
    expect(during.resyncs).to.deep.equal([{ epoch: "100", offset: 1 }]);
  });

  it("delivers to those who joined meanwhile nothing that their resync covers: they may have heard it elsewhere", async () => {
    const harness = await FeedHarness.live();
    const [during, both] = [new Listener(), new Listener()];
    harness.hearing = false;
    harness.feed.suspend();
    harness.join(during);
    harness.join(both, { id: 1 });
    harness.join(both, { type: "a" });
    harness.append({ id: 1, type: "a" });
    harness.hearing = true;
    await harness.feed.catchUp();
    harness.publish({ id: 1, type: "a" });
    harness.feed.flush();
    for (const listener of [during, both]) {
      expect(listener.packets.map(({ event }) => event)).to.deep.equal(["resync", "messages"]);
      expect(listener.offsets).to.deep.equal([[2]]);
    }
  });

  it("looks into the log for a client that comes from further ahead than it has heard", async () => {
    const harness = await FeedHarness.live();
    harness.append({ id: 1 }); // heard by another relay first
    await harness.feed.lookAhead();
    expect(harness.feed.recover({ position: { epoch: "100", offset: 1 } }, parseFilter({}), new Listener())).to.deep.equal({
      messages: [],
      resync: false,
    });
  });

  it("survives more messages than it can hold back during a read", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    const read = deferred<ReturnType<FeedHarness["tail"]>>();
    harness.onRead.push(() => read.promise);
    harness.feed.suspect();
    const tail = harness.tail(harness.feed.head);
    for (let id = 1; id <= 10_500; id++) harness.publish({ id });
    read.resolve(tail);
    await harness.feed.catchUp();
    harness.feed.flush();
    expect(listener.offsets.flat()).to.deep.equal(Array.from({ length: 10_500 }, (_, i) => i + 1));
  });
});

describe("a feed is not deceived by what anybody writes into its channel", () => {
  it("takes no payload that is no message for the next one", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    harness.feed.hear("100", { offset: 1, time: 1, data: "{", except: undefined });
    await settled();
    harness.publish({ id: 1 });
    await settled();
    harness.publish({ id: 2 });
    harness.feed.flush();
    expect(listener.offsets.flat()).to.deep.equal([1, 2]);
    expect(listener.resyncs).to.deep.equal([]);
  });
});

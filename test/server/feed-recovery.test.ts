import { expect } from "chai";
import { parseFilter } from "@bellwire/protocol";
import { FeedHarness, Listener } from "./feed-harness.js";

describe("a feed recovers", () => {
  const filter = parseFilter({ id: 1 });

  it("all matching messages after a position, and only with proof", async () => {
    const harness = await FeedHarness.live();
    for (const id of [1, 2, 1, 1]) harness.publish({ id });
    const listener = new Listener();
    const after = (offset: number, epoch = "100"): unknown => harness.feed.recover({ position: { epoch, offset } }, filter, listener);
    expect(after(1)).to.have.nested.property("messages.length", 2);
    expect(after(4)).to.deep.equal({ messages: [], resync: false });
    expect(after(5), "beyond the head").to.deep.equal({ messages: [], resync: true });
    expect(after(1, "99"), "another epoch").to.deep.equal({ messages: [], resync: true });
    expect(harness.feed.recover({ unknown: true }, filter, listener)).to.deep.equal({ messages: [], resync: true });
  });

  it("the last matching message for a first subscription, unless it was for somebody else", async () => {
    const harness = await FeedHarness.live();
    harness.publish({ id: 1 });
    harness.publish({ id: 1 }, { user: "ann" });
    harness.publish({ id: 2 });
    const last = (user: string): number[] => {
      const recovery = harness.feed.recover({ first: true, replay: true }, filter, new Listener(user));
      return recovery === "older" ? [] : recovery.messages.map((message) => message.offset);
    };
    expect(last("ann")).to.deep.equal([1]);
    expect(last("ben")).to.deep.equal([2]);
    expect(harness.feed.recover({ first: true, replay: false }, filter, new Listener())).to.deep.equal({ messages: [], resync: false });
  });

  it("from the log what its memory no longer holds, with one read for all who wait", async () => {
    const harness = new FeedHarness();
    harness.ringBytes = () => 2000; // a handful of messages
    await harness.feed.catchUp();
    for (let i = 0; i < 50; i++) harness.publish({ id: i === 0 ? 1 : 2 });
    expect(harness.feed.recover({ position: { epoch: "100", offset: 0 } }, filter, new Listener())).to.equal("older");
    const reads = harness.reads;
    const [a, b] = await Promise.all([harness.feed.older(), harness.feed.older()]);
    expect(harness.reads).to.equal(reads + 1);
    harness.publish({ id: 1 });
    for (const older of [a, b]) {
      const ring = harness.feed.extend(older);
      const recovery = harness.feed.recover({ position: { epoch: "100", offset: 0 } }, filter, new Listener(), ring);
      expect(recovery).to.have.nested.property("messages.length", 2);
    }
  });
});

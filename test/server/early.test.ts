import { expect } from "chai";
import type { Tail } from "../../server/src/stores/log.js";
import { FeedHarness, Listener } from "./feed-harness.js";

/** A feed whose host notes what it is told for its counters. */
class Counting extends FeedHarness {
  readonly observed: string[] = [];
  override observe(event?: string): void {
    this.observed.push(event ?? "");
  }
}

describe("messages that come while a log is read", () => {
  it("are kept up to a bound, past it dropped and counted, and read from the log again: each is heard once", async () => {
    const harness = new Counting({ messages: 20_000, age: 86_400_000 });
    await harness.feed.catchUp();
    const listener = new Listener();
    harness.join(listener);
    let answer: (tail: Tail) => void = () => undefined;
    harness.onRead.push(() => new Promise<Tail>((resolve) => (answer = resolve)));
    harness.feed.suspect();
    const before = harness.tail();
    for (let i = 0; i < 10_005; i++) harness.publish({ id: i });
    expect(harness.observed.filter((event) => event === "overflow")).to.have.length(5);
    answer(before);
    await harness.feed.catchUp();
    harness.feed.flush();
    expect(harness.feed.live).to.equal(true);
    expect(listener.offsets.flat()).to.deep.equal(Array.from({ length: 10_005 }, (_, i) => i + 1));
    expect(listener.resyncs).to.deep.equal([]);
  });
});

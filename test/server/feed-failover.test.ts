import { expect } from "chai";
import { parseFilter } from "@bellwire/protocol";
import { Feeds } from "../../server/src/feed/feeds.js";
import type { Feed } from "../../server/src/feed/feed.js";
import { parseSince } from "../../server/src/http/history.js";
import { MemoryLog } from "../../server/src/stores/memory/log.js";
import type { Tail } from "../../server/src/stores/log.js";
import { FeedHarness, Listener } from "./feed-harness.js";
import { eventually, Stage } from "./stage.js";

const FAILOVER_MS = 400;

/** Logs that hold nothing, on a server that another one takes the place of. */
class Servers extends MemoryLog {
  epoch = 100;

  override async read(): Promise<Tail> {
    return { head: { epoch: String(this.epoch), offset: 0 }, entries: [] };
  }
}

describe("after a failover", () => {
  const stage = Stage.forEachTest();
  let log: Servers;
  let feeds: Feeds;

  beforeEach(() => {
    log = new Servers();
    const timing = { failover: FAILOVER_MS, compare: 3_600_000 };
    feeds = new Feeds({ log, observe: () => undefined, sockets: () => 0, failover: true, timing });
    stage.closeLater(() => [feeds.close(), log.close()]);
  });

  async function open(topic: string): Promise<{ feed: Feed; heard: Listener }> {
    const feed = await feeds.claim("5", topic);
    const heard = new Listener();
    feed.join(heard, parseFilter({}));
    return { feed, heard };
  }

  /** Another server takes over, and a topic's feed notices. */
  async function failOver({ feed, heard }: { feed: Feed; heard: Listener }): Promise<void> {
    const before = heard.resyncs.length;
    log.epoch++;
    feeds.garbage(feed.name);
    await eventually(() => heard.resyncs.length > before, "the feed has noticed");
  }

  it("whoever heard of it hears of it once more, and whoever came to a topic meanwhile hears of it too", async () => {
    const [a, justBefore] = [await open("A"), await open("before")];
    await failOver(a);
    const meanwhile = await open("B");
    await eventually(() => a.heard.resyncs.length === 2, "the second resync");
    for (const { heard } of [justBefore, meanwhile]) await eventually(() => heard.resyncs.length === 1, "the resync of a new topic");
    const afterwards = await open("C");
    await failOver(a);
    await eventually(() => a.heard.resyncs.length === 4, "the next failover's second resync");
    expect([afterwards, meanwhile].map(({ heard }) => heard.resyncs.length)).to.deep.equal([1, 1]);
  });

  it("who is away when the others hear of it again hears of it on the return, to any relay, and nobody else does", async () => {
    const a = await open("A");
    const at = (epoch: string, offset = 0) => a.feed.recover({ position: { epoch, offset } }, parseFilter({}), new Listener());
    await failOver(a);
    const [first] = a.heard.resyncs;
    expect(first, "a client's position says when it was told").to.deep.equal({ epoch: `${log.epoch}~`, offset: 0 });
    for (const epoch of [`${log.epoch}~`, `${log.epoch}`]) expect(at(epoch), epoch).to.deep.equal({ messages: [], resync: false });
    await eventually(() => a.heard.resyncs.length === 2, "the second resync");
    expect(a.heard.resyncs[1]).to.deep.equal({ epoch: `${log.epoch}`, offset: 0 });
    expect(at(`${log.epoch}~`), "was away").to.deep.equal({ messages: [], resync: true });
    expect(at(`${log.epoch}`), "was there").to.deep.equal({ messages: [], resync: false });
  });

  it("a client's position is one of the log's to those who ask for the history", () => {
    for (const text of ["101~-7", "101-7"]) expect(parseSince(text), text).to.deep.equal({ epoch: "101", offset: 7 });
  });

  it("messages meanwhile come under the position that clients were told", async () => {
    const a = await open("A");
    await failOver(a);
    const epoch = String(log.epoch);
    feeds.message(a.feed.name, epoch, { offset: 1, time: 0, data: '{"n":1}', except: undefined });
    await eventually(() => a.heard.resyncs.length === 2, "the second resync");
    feeds.message(a.feed.name, epoch, { offset: 2, time: 0, data: '{"n":2}', except: undefined });
    await eventually(() => a.heard.offsets.length === 2, "both messages");
    const epochs = a.heard.packets.flatMap((packet) => (packet.event === "messages" ? [packet.epoch] : []));
    expect(epochs).to.deep.equal([`${epoch}~`, epoch]);
  });

  it("a relay that had no topic open learns of it from its probe, or from a client that heard of it elsewhere", async () => {
    feeds.renewed();
    const a = await open("A");
    expect(a.feed.told?.epoch).to.equal(`${log.epoch}~`);
    await eventually(() => a.heard.resyncs.length === 1, "the resync of who came since");
    log.epoch = Date.now() * 1000;
    const b = await open("B");
    const since = { position: { epoch: `${log.epoch}~`, offset: 0 } };
    expect(b.feed.recover(since, parseFilter({}), b.heard)).to.deep.equal({ messages: [], resync: false });
    await eventually(() => b.heard.resyncs.length === 1, "the second resync");
  });

  it("another one begins the time anew", async () => {
    const a = await open("A");
    await failOver(a);
    await new Promise((resolve) => setTimeout(resolve, FAILOVER_MS / 2));
    const second = performance.now();
    await failOver(a);
    await eventually(() => a.heard.resyncs.length === 3, "the second resync");
    expect(performance.now() - second).to.be.at.least(FAILOVER_MS);
    expect(a.heard.resyncs.map(({ epoch }) => epoch)).to.deep.equal(["101~", "102~", "102"]);
  });

  it("a topic that is cut off when the time comes is told when it is back", async () => {
    const [a, b] = [await open("A"), await open("B")];
    await failOver(a);
    feeds.lost([a.feed.name]);
    await eventually(() => b.heard.resyncs.length === 1, "the others' second resync");
    expect(a.heard.resyncs).to.have.length(1);
    feeds.restored([a.feed.name]);
    await eventually(() => a.heard.resyncs.length === 2, "its second resync");
  });

  it("a resync that comes anyway when it is back is enough", async () => {
    const harness = await FeedHarness.live();
    const listener = new Listener();
    harness.join(listener);
    harness.feed.suspend();
    harness.feed.resyncAgain();
    harness.epoch = "200";
    await harness.feed.catchUp();
    expect(listener.resyncs).to.deep.equal([{ epoch: "200", offset: 0 }]);
    harness.feed.suspend();
    harness.feed.resyncAgain();
    await harness.feed.catchUp();
    harness.feed.suspend();
    await harness.feed.catchUp();
    expect(listener.resyncs, "once").to.have.length(2);
  });
});

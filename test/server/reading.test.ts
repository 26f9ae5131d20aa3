import { expect } from "chai";
import fc from "fast-check";
import { parseFilter, type Position } from "@bellwire/protocol";
import { FairTurns } from "../../server/src/pacing/fair-turns.js";
import { Feeds } from "../../server/src/feed/feeds.js";
import { Message } from "../../server/src/feed/message.js";
import { Ring } from "../../server/src/feed/ring.js";
import type { Page } from "../../server/src/stores/redis/decode.js";
import { MemoryLog } from "../../server/src/stores/memory/log.js";
import { PAGE_ENTRIES, readInPages } from "../../server/src/stores/redis/pages.js";
import { TAIL_MESSAGES, type Tail } from "../../server/src/stores/log.js";
import { FeedHarness, Listener } from "./feed-harness.js";
import { Stage } from "./stage.js";

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a log is read in pages", () => {
  /** A log that something happens to between any two readings. */
  class Changing {
    epoch = 100;
    first = 1;
    offset: number;
    readonly #changes: (() => void)[];

    constructor(messages: number, changes: ("grow" | "trim" | "anew" | "nothing")[]) {
      this.offset = messages;
      this.#changes = changes.map((change) => () => {
        if (change === "grow") this.offset += 60;
        if (change === "trim") this.first = Math.min(this.offset, this.first + 150);
        if (change === "anew") [this.epoch, this.first, this.offset] = [this.epoch + 1, 1, 30];
      });
    }

    rows = async (after: string): Promise<unknown[]> => {
      const [epoch = 0, offset = 0] = after === "-" ? [0, 0] : after.split("-").map(Number);
      const from = epoch === this.epoch ? offset + 1 : 1;
      const rows: unknown[] = [];
      for (let i = Math.max(from, this.first); i <= this.offset && rows.length < PAGE_ENTRIES; i++) {
        rows.push([`${this.epoch}-${i}`, ["t", "1", "x", "", "d", "{}"]]);
      }
      this.#changes.shift()?.();
      return rows;
    };

    page = async (after: string): Promise<Page> => {
      const head = { epoch: String(this.epoch), offset: this.offset };
      return { head, entries: [], now: 1, rows: await this.rows(after) };
    };
  }

  const change = fc.constantFrom("grow", "trim", "anew", "nothing") as fc.Arbitrary<"grow" | "trim" | "anew" | "nothing">;

  it("up to the head that is told, whatever happens to it meanwhile", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: PAGE_ENTRIES, max: 900 }), fc.array(change, { maxLength: 12 }), async (messages, changes) => {
        const log = new Changing(messages, changes);
        const { head, entries } = await readInPages(log, undefined);
        if (entries.length > 0) expect(entries[entries.length - 1]?.offset).to.equal(head.offset);
        const offsets = entries.map(({ offset }) => offset);
        expect(offsets, "in order, each once").to.deep.equal([...new Set(offsets)].sort((a, b) => a - b));
        expect(Number(head.epoch)).to.be.at.most(log.epoch);
      }),
    );
  });

  it("whole where nothing was lost", async () => {
    const changes = ["grow", "nothing", "grow", "grow"] as ("grow" | "nothing")[];
    const { head, entries } = await readInPages(new Changing(450, changes), { epoch: "100", offset: 120 });
    expect(entries.map(({ offset }) => offset)).to.deep.equal(Array.from({ length: head.offset - 120 }, (_, i) => 121 + i));
  });
});

describe("turns", () => {
  it("are so many at once, fair to whom they are for, and short tasks go before long ones", async () => {
    const turns = new FairTurns({ short: 2, long: 1 });
    const begun: string[] = [];
    const ends: (() => void)[] = [];
    const ask = (length: "short" | "long", whom: string, name: string): Promise<void> =>
      turns.take(length, whom, () => {
        begun.push(name);
        return new Promise((resolve) => ends.push(resolve));
      });
    const all = [
      ...["a1", "a2", "a3", "a4"].map((name) => ask("short", "a", name)),
      ask("long", "a", "long a1"),
      ask("long", "a", "long a2"),
      ask("long", "b", "long b1"),
      ask("short", "b", "b1"),
    ];
    const steps: string[][] = [];
    for (let ended = 0; ended < all.length; ended++) {
      await settled();
      steps.push([...begun]);
      ends[ended]?.();
    }
    await Promise.all(all);
    expect(begun).to.deep.equal(["a1", "a2", "a3", "b1", "a4", "long a1", "long b1", "long a2"]);
    expect(steps.map(({ length }) => length)).to.deep.equal([2, 3, 4, 6, 6, 6, 7, 8]);
  });

  it("go on after a task that fails", async () => {
    const turns = new FairTurns({ short: 1, long: 1 });
    const failed = turns.take("short", "a", () => Promise.reject(new Error("no")));
    const next = turns.take("short", "a", async () => "yes");
    expect(await failed.catch((error: Error) => error.message)).to.equal("no");
    expect(await next).to.equal("yes");
  });
});

describe("a feed that opens", () => {
  const stage = Stage.forEachTest();

  it("reads the newest messages, older ones when somebody asks, and keeps them", async () => {
    const harness = new FeedHarness();
    for (let id = 1; id <= 300; id++) harness.append({ id });
    await harness.feed.catchUp();
    expect(harness.feed.ring.size).to.equal(TAIL_MESSAGES);
    const first = { first: true, replay: true } as const;
    const newest = harness.feed.recover(first, parseFilter({ id: 299 }), new Listener());
    expect(newest).to.have.property("messages").with.length(1);
    expect(harness.feed.recover(first, parseFilter({ id: 5 }), new Listener())).to.equal("older");
    harness.publish({ id: 301 });
    await harness.feed.older();
    harness.publish({ id: 302 });
    const reads = harness.reads;
    expect(harness.feed.recover(first, parseFilter({ id: 5 }), new Listener()))
      .to.have.property("messages")
      .with.length(1);
    expect(harness.feed.recover(first, parseFilter({ id: 0 }), new Listener()), "nor anything else is older").to.deep.equal({
      messages: [],
      resync: false,
    });
    const since = { position: { epoch: "100", offset: 0 } };
    expect(harness.feed.recover(since, parseFilter({}), new Listener()))
      .to.have.property("messages")
      .with.length(302);
    expect(harness.reads).to.equal(reads);
  });

  it("holds what it proves, and no more, whatever was read of the time before", () => {
    const message = (offset: number): Message => new Message({ offset, time: 1, data: "{}", except: undefined });
    const range = (from: number, to: number): Message[] => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => message(from + i));
    const limits = { messages: 100, bytes: 1_000_000 };
    fc.assert(
      fc.property(fc.nat(60), fc.integer({ min: 1, max: 60 }), fc.nat(70), fc.nat(30), (base, held, from, later) => {
        const head = base + held;
        const ring = new Ring();
        ring.reset(head, range(base + 1, head), base === 0, limits);
        for (const each of range(head + 1, head + later)) ring.push(each, limits);
        const before = ring.base;
        ring.prepend(range(from + 1, head), limits);
        const reaches = from < before;
        expect(ring.base).to.equal(Math.max(reaches ? from : before, head + later - 100));
        expect(ring.after(ring.base)?.map(({ offset }) => offset)).to.deep.equal(range(ring.base + 1, head + later).map((m) => m.offset));
        if (reaches) expect(ring.whole).to.equal(true);
      }),
    );
  });

  it("with thousands of others asks the log for a few at a time", async () => {
    let [running, most, long, mostLong] = [0, 0, 0, 0];
    class Slow extends MemoryLog {
      override async read(site: string, topic: string, since?: Position, limit?: number): Promise<Tail> {
        if (limit !== undefined) {
          most = Math.max(most, ++running);
          await settled();
          running--;
          const { head } = await super.read(site, topic);
          return { head: { ...head, offset: 1000 }, entries: [] };
        }
        if (since !== undefined) return super.read(site, topic, since);
        mostLong = Math.max(mostLong, ++long);
        await settled();
        long--;
        return super.read(site, topic);
      }
    }
    const log = new Slow();
    const feeds = new Feeds({ log, observe: () => undefined, sockets: () => 0, timing: { compare: 3_600_000 } });
    stage.closeLater(() => [feeds.close(), log.close()]);
    const opened = await Promise.all(Array.from({ length: 500 }, (_, i) => feeds.claim("5", `T${i}`)));
    expect(opened.every(({ live }) => live)).to.equal(true);
    expect(most).to.equal(16);
    await Promise.all(opened.map((feed) => feed.older()));
    expect(mostLong).to.equal(4);
  });
});

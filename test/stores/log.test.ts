import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { BellwireError, type Position } from "@bellwire/protocol";
import { logLimitsOf, type LogLimits, type LogLimitsOf } from "@bellwire/emitter/redis";
import type { Publication } from "@bellwire/emitter/publication";
import { MemoryLog } from "../../server/src/stores/memory/log.js";
import { RedisLog } from "../../server/src/stores/redis/log.js";
import type { Entry, LogListener, Tail, TopicLog } from "../../server/src/stores/log.js";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";

/** Keeps what a log tells, and lets a test wait for it. */
class Heard implements LogListener {
  readonly messages: { feed: string; epoch: string; entry: Entry }[] = [];
  readonly garbled: string[] = [];
  lostCount = 0;
  restoredCount = 0;
  #waiting: { condition: () => boolean; resolve: () => void }[] = [];

  message(feed: string, epoch: string, entry: Entry): void {
    this.messages.push({ feed, epoch, entry });
    this.#look();
  }
  garbage(feed: string): void {
    this.garbled.push(feed);
    this.#look();
  }
  lost(): void {
    this.lostCount++;
    this.#look();
  }
  restored(): void {
    this.restoredCount++;
    this.#look();
  }
  renewed(): void {}
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ condition, resolve });
      this.#look();
    });
  }
  #look(): void {
    this.#waiting = this.#waiting.filter(({ condition, resolve }) => {
      if (!condition()) return true;
      resolve();
      return false;
    });
  }
}

type Limits = readonly (readonly [string, LogLimits])[];

interface Open {
  readonly log: TopicLog;
  readonly heard: Heard;
  close(): Promise<void>;
}

/** One suite for every implementation of the topic log. */
function contract(name: string, open: (limits?: Limits) => Promise<Open>): void {
  describe(`a topic log ${name}`, () => {
    let log: TopicLog;
    let heard: Heard;
    let close: () => Promise<void>;

    beforeEach(async () => {
      ({ log, heard, close } = await open([
        ["few", { messages: 3, age: 86_400_000 }],
        ["brief", { messages: 1000, age: 1 }],
      ]));
    });
    afterEach(() => close());

    const append = (topic: string, id: string = randomUUID(), more: Partial<Publication> = {}): Promise<Position> =>
      log.append({ site: "5", topic, data: `{"id":"${id}"}`, id, idempotent: false, retry: false, ...more }, 2000);

    it("gives a topic that was never published to a position", async () => {
      const first = await log.read("5", "T");
      expect(first.head.offset).to.equal(0);
      expect(first.entries).to.deep.equal([]);
      expect((await log.read("5", "T")).head).to.deep.equal(first.head);
    });

    it("gives the first message of an opened log offset 1 of the same epoch", async () => {
      const { head } = await log.read("5", "T");
      expect(await append("T")).to.deep.equal({ epoch: head.epoch, offset: 1 });
    });

    it("numbers messages without holes and keeps them in order", async () => {
      const positions = await Promise.all(Array.from({ length: 20 }, (_, i) => append("T", `m${i}`)));
      expect(positions.map(({ offset }) => offset)).to.deep.equal(Array.from({ length: 20 }, (_, i) => i + 1));
      const { head, entries } = await log.read("5", "T");
      expect(head).to.deep.equal(positions[19]);
      expect(entries.map(({ offset, data }) => [offset, data])).to.deep.equal(positions.map(({ offset }, i) => [offset, `{"id":"m${i}"}`]));
      expect(entries[0]?.time).to.be.closeTo(Date.now(), 60_000);
    });

    it("reads what came after a position only", async () => {
      const second = (await Promise.all([append("T"), append("T"), append("T")]))[1] as Position;
      expect((await log.read("5", "T", second)).entries.map(({ offset }) => offset)).to.deep.equal([3]);
    });

    it("reads all of a long log, all after a position, or the newest of it", async () => {
      const positions = await Promise.all(Array.from({ length: 350 }, () => append("T")));
      const read = async (tail: Promise<Tail>): Promise<number[]> => {
        const { head, entries } = await tail;
        expect(head.offset).to.equal(350);
        return entries.map(({ offset }) => offset);
      };
      const from = (first: number): number[] => Array.from({ length: 351 - first }, (_, i) => first + i);
      expect(await read(log.read("5", "T"))).to.deep.equal(from(1));
      for (const after of [50, 149, 150, 151, 250, 349, 350]) {
        expect(await read(log.read("5", "T", positions[after - 1]))).to.deep.equal(from(after + 1));
      }
      for (const limit of [1, 25, 99, 100, 101, 349, 350, 1000]) {
        expect(await read(log.read("5", "T", undefined, limit)), `the newest ${limit}`).to.deep.equal(from(Math.max(1, 351 - limit)));
        for (const after of [0, 50, 149, 349, 350]) {
          const since = { epoch: (positions[0] as Position).epoch, offset: after };
          expect(await read(log.read("5", "T", since, limit)), `${limit} after ${after}`).to.deep.equal(from(after + 1).slice(0, limit));
        }
      }
    });

    it("reads the head alone where no message is asked for, or where what is asked for is none of its positions", async () => {
      const last = [await append("T"), await append("T")][1] as Position;
      const nothing = { head: last, entries: [] };
      expect(await log.read("5", "T", undefined, 0)).to.deep.equal(nothing);
      expect(await log.read("5", "T", { ...last, offset: 0 }, 0)).to.deep.equal(nothing);
      for (const epoch of ["", "x", "-", "+", "(1", "1 2", "1.5", "1e3", "9".repeat(18), "é".repeat(32)])
        expect(await log.read("5", "T", { epoch, offset: 0 }), epoch).to.deep.equal(nothing);
      expect((await log.read("6", "T", undefined, 0)).entries, "opens it too").to.deep.equal([]);
    });

    it("keeps no message of before in what it reads after a position of another epoch, whichever is newer", async () => {
      const { epoch } = await append("T");
      for (const other of [String(Number(epoch) - 1), String(Number(epoch) + 1)]) {
        const { head, entries } = await log.read("5", "T", { epoch: other, offset: 7 });
        expect(head).to.deep.equal({ epoch, offset: 1 });
        for (const { offset } of entries) expect(offset).to.equal(1);
      }
    });

    it("knows which of two of its epochs is newer", async () => {
      const { epoch: a } = await append("T");
      await new Promise((resolve) => setTimeout(resolve, 2));
      const { epoch: b } = await append("U");
      expect([log.isNewer(b, a), log.isNewer(a, b), log.isNewer(a, a)]).to.deep.equal([true, false, false]);
      expect(log.isNewer("1000000000000000", "999999999999999"), "not by their letters").to.equal(true);
    });

    it("keeps sites and topics apart", async () => {
      await append("T");
      expect(await append("U")).to.have.property("offset", 1);
      expect(await append("T", "x", { site: "6" })).to.have.property("offset", 1);
    });

    it("tells listeners of each message once, in order, with what it leaves out", async () => {
      await log.listen("5", "T");
      await append("T", "a");
      await append("U", "b");
      await append("T", "c", { except: { user: "ann" } });
      await heard.until(() => heard.messages.length === 2);
      expect(heard.messages.map(({ feed, entry }) => [feed, entry.offset, entry.data, entry.except])).to.deep.equal([
        ["5:T", 1, '{"id":"a"}', undefined],
        ["5:T", 2, '{"id":"c"}', { user: "ann" }],
      ]);
    });

    it("tells nothing of a topic that is no longer listened to", async () => {
      await log.listen("5", "T");
      await log.listen("5", "U");
      log.unlisten("5", "T");
      await append("T");
      await append("U");
      await heard.until(() => heard.messages.length > 0);
      expect(heard.messages.map(({ feed }) => feed)).to.deep.equal(["5:U"]);
    });

    it("finds an id again when a publish is retried, and appends it where the first attempt did not go in", async () => {
      const first = await append("T", "same");
      expect(await append("T", "same", { retry: true })).to.deep.equal(first);
      expect(await append("T", "other", { retry: true })).to.have.property("offset", 2);
    });

    it("finds an id in the log where its key is gone", async () => {
      const first = await append("T", "kept");
      expect(await append("T", "kept", { idempotent: true, retry: true })).to.deep.equal(first);
    });

    it("takes the same idempotency key once, also without a retry mark", async () => {
      const first = await append("T", "key", { idempotent: true });
      expect(await append("T", "key", { idempotent: true })).to.deep.equal(first);
      expect(await append("U", "key", { idempotent: true }), "for each topic").to.have.property("offset", 1);
    });

    it("keeps as many messages as its topic allows, and always the newest", async () => {
      for (let i = 0; i < 5; i++) await append("few");
      expect((await log.read("5", "few")).entries.map(({ offset }) => offset)).to.deep.equal([3, 4, 5]);
      await append("brief");
      const last = await append("brief");
      await new Promise((resolve) => setTimeout(resolve, 5));
      const { head, entries } = await log.read("5", "brief");
      expect(head).to.deep.equal(last);
      expect(entries.map(({ offset }) => offset)).to.deep.equal([2]);
    });

    it("keeps data byte for byte: unicode, line breaks, numbers as they were written", async () => {
      const data = '{"a":"äß\\u0000\\n☂𝄞","b":1.0,"c": 12345678901234567890,\n"d":"\\ud800"}';
      await log.listen("5", "T");
      await append("T", "x", { data });
      await heard.until(() => heard.messages.length === 1);
      expect(heard.messages[0]?.entry.data).to.equal(data);
      expect((await log.read("5", "T")).entries[0]?.data).to.equal(data);
    });
  });
}

contract("in memory", async (limits) => {
  const log = new MemoryLog((_site, topic) => logLimitsOf(limits ?? [], topic));
  const heard = new Heard();
  await log.start(heard);
  return { log, heard, close: () => log.close() };
});

describe("Redis", () => {
  let redis: TestRedis;
  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
  });
  after(() => redis?.stop());

  async function openRedis(limits: Limits = [], prefix = `${randomUUID()}:`): Promise<Open & { log: RedisLog; prefix: string }> {
    const heard = new Heard();
    const limitsOf: LogLimitsOf = (_site, topic) => logLimitsOf(limits, topic);
    const log = new RedisLog({ target: redis.url, prefix, limitsOf, relay: randomUUID(), onError: () => undefined });
    await log.start(heard);
    while (!log.status.up) await new Promise((resolve) => setTimeout(resolve, 5));
    return { log, heard, prefix, close: () => log.close() };
  }

  contract("on Redis", openRedis);

  describe("a topic log on Redis", () => {
    let opened: Awaited<ReturnType<typeof openRedis>>;
    let raw: ReturnType<TestRedis["client"]>;
    beforeEach(async () => {
      opened = await openRedis();
      raw = redis.client();
    });
    afterEach(async () => {
      raw.disconnect();
      await opened.close();
    });

    const key = (topic: string): string => `${opened.prefix}0:{5:${topic}}`;
    const append = (topic: string, id: string = randomUUID(), more: Partial<Publication> = {}): Promise<Position> =>
      opened.log.append({ site: "5", topic, data: "{}", id, idempotent: false, retry: false, ...more }, 2000);

    it("is one stream whose ids are <epoch>-<offset>, named like its channel", async () => {
      const { epoch } = await append("T");
      expect((await raw.xrange(key("T"), "-", "+")).map(([id]) => id)).to.deep.equal([`${epoch}-0`, `${epoch}-1`]);
      await opened.log.listen("5", "T");
      expect(await raw.call("PUBSUB", "SHARDNUMSUB", key("T"))).to.deep.equal([key("T"), 1]);
      expect(await raw.pttl(key("T"))).to.be.greaterThan(24 * 3600 * 1000);
    });

    it("reloads its scripts after SCRIPT FLUSH", async () => {
      await append("T");
      await raw.script("FLUSH");
      expect(await append("T")).to.have.property("offset", 2);
      await raw.script("FLUSH");
      expect((await opened.log.read("5", "T")).entries).to.have.length(2);
    });

    it("takes a new, higher epoch when the newest entry was stored under another replication id", async () => {
      const first = await append("T");
      await raw.xadd(key("T"), `${first.epoch}-2`, "t", "1", "i", "x", "x", "", "r", "f".repeat(40), "d", "{}");
      const { head } = await opened.log.read("5", "T", first);
      expect(Number(head.epoch)).to.be.greaterThan(Number(first.epoch));
      expect(head.offset).to.equal(0);
      expect(await append("T")).to.deep.equal({ epoch: head.epoch, offset: 1 });
    });

    it("takes a higher epoch also when the clock went back", async () => {
      const ahead = String(Date.now() * 1000 + 3_600_000_000);
      await raw.xadd(key("T"), `${ahead}-5`, "t", "1", "i", "x", "x", "", "r", "f".repeat(40), "d", "{}");
      expect((await append("T")).epoch).to.equal(String(Number(ahead) + 1));
    });

    it("takes a new epoch after FLUSHALL", async () => {
      const first = await append("T");
      await raw.flushall();
      const second = await append("T");
      expect(Number(second.epoch)).to.be.greaterThan(Number(first.epoch));
      expect(second.offset).to.equal(1);
    });

    it("takes a new epoch when its newest entries were deleted, so that whoever had not heard them is told", async () => {
      await append("T");
      const second = await append("T");
      const third = await append("T");
      expect(await raw.xdel(key("T"), `${third.epoch}-3`)).to.equal(1);
      const { head } = await opened.log.read("5", "T", second);
      expect(Number(head.epoch)).to.be.greaterThan(Number(second.epoch));
      expect(head.offset).to.equal(0);
    });

    it("leaves a hole in the offsets where a deleted entry was followed by another", async () => {
      const first = await append("T");
      const second = await append("T");
      await raw.xdel(key("T"), `${second.epoch}-2`);
      expect(await append("T")).to.deep.equal({ epoch: first.epoch, offset: 3 });
      expect((await opened.log.read("5", "T", first)).entries.map(({ offset }) => offset)).to.deep.equal([3]);
    });

    it("opens anew where its key holds garbage", async () => {
      for (const spoil of [
        () => raw.set(key("T"), "garbage"),
        () => raw.lpush(key("T"), "garbage"),
        () => raw.xadd(key("T"), "5-5", "nonsense", "x"),
        () => raw.xadd(key("T"), "18446744073709551614-1", "nonsense", "x"),
      ]) {
        await raw.del(key("T"));
        await spoil();
        expect((await opened.log.read("5", "T")).head.offset).to.equal(0);
        expect(await append("T")).to.have.property("offset", 1);
      }
    });

    it("reports what is no message on a channel, and takes no harm", async () => {
      await opened.log.listen("5", "T");
      for (const payload of [
        "",
        "x",
        "1\n2",
        "\n\n\n\n\n",
        "1\n-1\n1\n\n\n{}",
        "a\n1\n1\n\n\n{}",
        "1\n1\n1\n\n{\n{}",
        "1\n99999999999999999\n1\n\n\n{}",
        "x".repeat(1_000_000),
      ]) {
        await raw.call("SPUBLISH", key("T"), payload);
      }
      await append("T");
      await opened.heard.until(() => opened.heard.messages.length === 1);
      expect(opened.heard.garbled).to.have.length(9);
    });

    it("answers unavailable within the time given while Redis is stopped, and the retry finds out what happened", async function () {
      this.timeout(20_000);
      await append("T");
      redis.signal("SIGSTOP");
      try {
        const error = await append("T", "lost?", {}).catch((caught: unknown) => caught);
        expect(error).to.be.instanceOf(BellwireError).with.property("code", "unavailable");
      } finally {
        redis.signal("SIGCONT");
      }
      const { offset } = await append("T", "lost?", { retry: true });
      expect(offset).to.equal(2);
      expect((await opened.log.read("5", "T")).entries).to.have.length(2);
    });

    it("tells that channels were cut, and when all are back", async () => {
      await opened.log.listen("5", "T");
      await raw.client("KILL", "TYPE", "PUBSUB");
      await opened.heard.until(() => opened.heard.lostCount === 1 && opened.heard.restoredCount === 1 && opened.log.hears("5", "T"));
      await append("T");
      await opened.heard.until(() => opened.heard.messages.length === 1);
    });

    it("hears nothing of another prefix or database on the same Redis", async () => {
      const other = await openRedis([], "other:");
      await other.log.listen("5", "T");
      await opened.log.listen("5", "T");
      await append("T");
      await other.log.append({ site: "5", topic: "T", data: '{"other":1}', id: "x", idempotent: false, retry: false }, 2000);
      await Promise.all([opened, other].map(({ heard }) => heard.until(() => heard.messages.length === 1)));
      expect(opened.heard.messages[0]?.entry.data).to.equal("{}");
      expect(other.heard.messages[0]?.entry.data).to.equal('{"other":1}');
      await other.close();
    });
  });
});

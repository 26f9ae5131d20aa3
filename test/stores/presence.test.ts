import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import { connectCommands, Keys, type RedisClient } from "@bellwire/emitter/redis";
import type { Position } from "@bellwire/protocol";
import { Lease } from "../../server/src/redis/lease.js";
import { MemoryPresence } from "../../server/src/stores/memory/presence.js";
import type { MemberChange, PresenceStore } from "../../server/src/stores/presence.js";
import { RedisPresence } from "../../server/src/stores/redis/presence.js";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { eventually } from "../server/stage.js";

const nothing = (): void => undefined;
const come = (user: string, info = ""): MemberChange => ({ member: `u${user}`, info });
const go = (user: string): MemberChange => ({ member: `u${user}`, info: null });

interface Opened {
  readonly store: PresenceStore;
  readonly changed: string[];
  close(): void;
}

/** One suite for every place where presence is kept. */
function contract(name: string, open: () => Promise<Opened>): void {
  describe(`presence ${name}`, () => {
    let store: PresenceStore;
    let changed: string[];
    let close: () => void;
    beforeEach(async () => {
      ({ store, changed, close } = await open());
    });
    afterEach(() => close());

    it("lists who came and has not gone, and counts the anonymous", async () => {
      expect(await store.snapshot("5", "T", true)).to.deep.equal({ position: undefined, count: 0, users: [] });
      await store.apply("5", "T", [come("ann", '{"a":[]}'), come("bob"), { member: "cpage", info: "" }, go("bob"), come("élan\n ü")]);
      const { count, users } = await store.snapshot("5", "T", true);
      expect(count).to.equal(3);
      expect([...users].sort()).to.deep.equal([
        ["ann", '{"a":[]}'],
        ["élan\n ü", ""],
      ]);
      expect(await store.snapshot("5", "T", false)).to.deep.include({ count: 3, users: [] });
      expect([...(await store.own("5", "T"))].sort()).to.deep.equal(["cpage", "uann", "uélan\n ü"]);
      for (const [site, topic] of [
        ["6", "T"],
        ["5", "U"],
      ] as const) {
        expect((await store.snapshot(site, topic, true)).count, `${site} ${topic}`).to.equal(0);
      }
    });

    it("tells what changed since a position, in order, and the same twice is no change", async () => {
      const { before, after } = await store.apply("5", "T", [come("ann", "1"), come("ann", "1"), come("ann", "2"), go("bob")]);
      expect(after).to.deep.equal({ epoch: before.epoch, offset: before.offset + 2 });
      await store.apply("5", "T", [{ member: "ssession", info: "" }, go("ann")]);
      const all = await store.changes("5", "T", before);
      expect(all.changes).to.deep.equal([come("ann", "1"), come("ann", "2"), go("ann")]);
      expect([all.count, all.own, all.head?.offset]).to.deep.equal([1, 1, before.offset + 4]);
      expect((await store.changes("5", "T", after)).changes).to.deep.equal([go("ann")]);
      expect((await store.changes("5", "T", all.head)).changes).to.deep.equal([]);
    });

    it("says so where it no longer knows all that changed", async () => {
      const { before } = await store.apply("5", "T", [come("ann")]);
      for (let i = 0; i < 3; i++)
        await store.apply(
          "5",
          "T",
          Array.from({ length: 200 }, (_, n) => come(`${i}-${n}`)),
        );
      const { changes, count, head } = await store.changes("5", "T", before);
      expect([changes, count]).to.deep.equal([undefined, 601]);
      const others: (Position | undefined)[] = [undefined, { epoch: "1", offset: 5 }, { ...before, offset: (head?.offset as number) + 1 }];
      for (const since of others) expect((await store.changes("5", "T", since)).changes).to.equal(undefined);
      expect((await store.changes("5", "T", { ...before, offset: (head?.offset as number) - 512 })).changes).to.have.length(512);
    });

    it("lists at most ten thousand, and counts all", async () => {
      for (let i = 0; i < 11; i++)
        await store.apply(
          "5",
          "T",
          Array.from({ length: 1000 }, (_, n) => come(`${i}-${n}`)),
        );
      const { users, count } = await store.snapshot("5", "T", true);
      expect([users.length, new Set(users.map(([user]) => user)).size, count]).to.deep.equal([10_000, 10_000, 11_000]);
    }).timeout(20_000);

    it("tells listeners that something changed, and nobody else", async () => {
      store.listen("5", "T");
      await eventually(() => changed.length > 0 || store instanceof MemoryPresence, "the channel is confirmed");
      changed.length = 0;
      await store.apply("5", "U", [come("ann")]);
      await store.apply("5", "T", [come("ann")]);
      await eventually(() => changed.length === 1, "it is told");
      await store.apply("5", "T", [come("ann")]);
      await store.apply("5", "T", [come("bob")]);
      await eventually(() => changed.length === 2, "it is told again");
      expect(changed).to.deep.equal(["5:T", "5:T"]);
    });
  });
}

contract("in memory", async () => {
  const store = new MemoryPresence();
  const changed: string[] = [];
  store.start({ changed: (site, topic) => changed.push(`${site}:${topic}`), relaysGone: nothing, lost: nothing });
  return { store, changed, close: () => store.close() };
});

describe("presence kept in Redis", () => {
  let redis: TestRedis;
  const opened: (() => void)[] = [];
  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
  });
  after(() => redis?.stop());
  afterEach(async () => {
    for (const close of opened.splice(0)) close();
    const raw = redis.client();
    await raw.flushall();
    raw.disconnect();
  });

  async function relay(
    id: string,
    timing = { life: 400, beat: 50 },
  ): Promise<Opened & { client: RedisClient; lease: Lease; gone: () => number }> {
    const client = connectCommands(redis.url);
    client.on("error", nothing);
    const keys = new Keys();
    const lease = new Lease({ redis: client, keys, relay: id, timing, onTrouble: nothing });
    const store = new RedisPresence({ target: redis.url, keys, redis: client, lease, onTrouble: nothing });
    const changed: string[] = [];
    let gone = 0;
    store.start({ changed: (site, topic) => changed.push(`${site}:${topic}`), relaysGone: () => gone++, lost: nothing });
    const close = (): void => {
      lease.stop();
      store.close();
      client.disconnect();
    };
    opened.push(close);
    return { store, changed, close, client, lease, gone: () => gone };
  }

  contract("on Redis", () => relay("one"));

  it("has a user come with the first relay and go with the last", async () => {
    const [one, two] = [await relay("one"), await relay("two")];
    const { before } = await one.store.apply("5", "T", [come("ann", '"i"')]);
    await two.store.apply("5", "T", [come("ann", '"i"')]);
    await one.store.apply("5", "T", [go("ann")]);
    expect((await two.store.snapshot("5", "T", true)).users).to.deep.equal([["ann", '"i"']]);
    expect((await one.store.changes("5", "T", before)).changes).to.deep.equal([come("ann", '"i"')]);
    await two.store.apply("5", "T", [go("ann")]);
    expect((await one.store.changes("5", "T", before)).changes).to.deep.equal([come("ann", '"i"'), go("ann")]);
  });

  it("loses those of a relay that ends without a word, but for users who are elsewhere too", async () => {
    const [one, two] = [await relay("one"), await relay("two")];
    two.store.listen("5", "T");
    await two.lease.beat();
    const { before } = await one.store.apply("5", "T", [come("ann"), come("bob"), { member: "cpage", info: "" }]);
    await two.store.apply("5", "T", [come("bob")]);
    await two.lease.beat();
    one.close();
    await eventually(() => two.gone() > 0, "the other one notices");
    await two.store.sweep("5", "T");
    const { changes, count } = await two.store.changes("5", "T", before);
    expect(changes).to.deep.equal([come("ann"), come("bob"), go("ann")]);
    expect(count).to.equal(1);
  });

  it("shows nobody of a relay that is gone to whoever asks, though nobody swept", async () => {
    const one = await relay("one");
    await one.store.apply("5", "T", [come("ann"), { member: "cpage", info: "" }]);
    one.close();
    const late = await relay("late");
    await late.lease.beat();
    expect((await late.store.snapshot("5", "T", true)).count, "it may only just have come").to.equal(2);
    for (const end = Date.now() + 2000; (await late.store.snapshot("5", "T", true)).count > 0; await pause(20)) {
      expect(Date.now()).to.be.below(end);
    }
    expect((await late.store.snapshot("5", "T", true)).users).to.deep.equal([]);
  });

  it("never sweeps a relay that has just come", async () => {
    const one = await relay("one", { life: 5000, beat: 5000 });
    await one.lease.beat();
    const two = await relay("two", { life: 5000, beat: 5000 });
    await two.store.apply("5", "T", [come("ann")]);
    expect(one.lease.live.has("two")).to.equal(false);
    await one.store.sweep("5", "T");
    expect((await one.store.snapshot("5", "T", true)).count).to.equal(1);
  });

  it("outlives garbage under its names", async () => {
    const one = await relay("one");
    const keys = new Keys();
    const names = [
      keys.presence("5", "T"),
      keys.presenceChanges("5", "T"),
      keys.presenceRelays("5", "T"),
      keys.presenceOf("5", "T", "one"),
    ];
    const raw = one.client;
    await one.lease.beat();
    const garbage: ((key: string) => Promise<unknown>)[] = [
      (key) => raw.set(key, "x"),
      (key) => raw.rpush(key, "x", "y"),
      (key) => raw.hset(key, "uann", "no line break", "u", "one\n", "x", "y", "uzed", "nobody\n{"),
      (key) => raw.sadd(key, "ufoo", "one two", ""),
      (key) => raw.xadd(key, "*", "a", "b"),
    ];
    for (const write of garbage) {
      for (const name of names) {
        await raw.del(name);
        await write(name);
      }
      for (const call of [
        () => one.store.snapshot("5", "T", true),
        () => one.store.changes("5", "T", { epoch: "5", offset: 1 }),
        () => one.store.sweep("5", "T"),
        () => one.store.apply("5", "T", [come("ann", "{"), come("bob")]),
      ]) {
        await call();
      }
      const { users } = await one.store.snapshot("5", "T", true);
      expect([...users].filter(([user]) => user !== "zed").sort()).to.deep.equal([
        ["ann", "{"],
        ["bob", ""],
      ]);
      await one.store.apply("5", "T", [go("ann"), go("bob")]);
    }
    await raw.del(keys.leases());
    await raw.set(keys.leases(), "x");
    await one.lease.beat();
    await raw.zadd(keys.leases(), Date.now() + 1e6, "a b\n{");
    await one.lease.beat();
    expect([...one.lease.live]).to.deep.equal(["one"]);
  });

  it("leaves nothing for ever", async () => {
    const one = await relay("one");
    await one.store.apply("5", "T", [come("ann")]);
    for (const key of await one.client.keys("*")) expect(await one.client.pttl(key), key).to.be.within(1, 24 * 3_600_000);
  });
});

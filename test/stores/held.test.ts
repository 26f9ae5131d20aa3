import { expect } from "chai";
import { connectCommands, Keys } from "@bellwire/emitter/redis";
import { MAX_HELD, parseCommand, type RevokeCommand, type SubscribeCommand, type UnsubscribeCommand } from "@bellwire/emitter/commands";
import { filtersOverlap, grantCovers, parseFilter, topicMatches } from "@bellwire/protocol";
import fc from "fast-check";
import { MemoryHeldStore } from "../../server/src/stores/memory/held.js";
import { RedisHeldStore } from "../../server/src/stores/redis/held.js";
import type { HeldStore, Visitor } from "../../server/src/stores/held.js";
import { requires } from "../house/requires.js";
import { TestClock } from "../support/clock.js";
import { TestRedis } from "../support/redis.js";
import { refusal } from "../server/controlled.js";

type Stored = SubscribeCommand | UnsubscribeCommand | RevokeCommand;

const ANN: Visitor = { user: "ann", session: "s1", client: "c1" };

function command(kind: Stored["kind"], body: object, site = "5"): Stored {
  return parseCommand(kind, site, body) as Stored;
}

function run(store: HeldStore, kind: Stored["kind"], body: object, site = "5"): Promise<void> {
  const one = command(kind, body, site);
  return one.kind === "subscribe" ? store.add(one) : store.remove(one);
}

async function heldBy(store: HeldStore, visitor: Visitor = ANN, site = "5"): Promise<string[]> {
  return (await store.of(site, visitor)).held.map(({ topic, filter }) => topic + filter.canonical);
}

/** A store whose time a test lets pass, in milliseconds. */
interface Aging {
  readonly store: HeldStore;
  pass(ms: number): Promise<void>;
}

/** One suite for every place where the server's subscriptions are kept. */
function contract(name: string, open: () => Promise<HeldStore>, openAging: (life: number) => Promise<Aging>): void {
  describe(`what the server subscribed, held ${name}`, () => {
    it("gives a connection what is held for its user, its session and its page load, in the order of the commands", async () => {
      const store = await open();
      await run(store, "subscribe", { session: "s1", topic: "B", filter: { b: [1], a: "x" } });
      await run(store, "subscribe", { user: "ann", topic: "A" });
      await run(store, "subscribe", { client: "c1", topic: "C" });
      await run(store, "subscribe", { user: "bob", topic: "D" });
      await run(store, "subscribe", { user: "ann", topic: "E" }, "6");
      expect(await heldBy(store)).to.deep.equal(['B{"a":"x","b":1}', "A{}", "C{}"]);
      expect(await heldBy(store, { user: "ann", session: "", client: "other" })).to.deep.equal(["A{}"]);
      expect(await heldBy(store, { user: "s1", session: "ann", client: "bob" }), "kinds are apart").to.deep.equal([]);
      expect(await heldBy(store, ANN, "6")).to.deep.equal(["E{}"]);
      expect(await heldBy(store, ANN, "7")).to.deep.equal([]);
      const [first] = (await store.of("5", ANN)).held;
      expect([first?.owner, first?.filter.keys]).to.deep.equal(["session", ["a", "b"]]);
    });

    it("keeps one of each topic and filter", async () => {
      const store = await open();
      for (const filter of [{ id: 5 }, { id: [5] }, { id: "5" }]) await run(store, "subscribe", { user: "ann", topic: "T", filter });
      expect(await heldBy(store)).to.have.members(['T{"id":5}', 'T{"id":"5"}']);
    });

    it("ends what lies within an unsubscribe, and what could hear something of a revocation", async () => {
      const store = await open();
      const fill = async (): Promise<void> => {
        for (const filter of [{ id: 5 }, { id: [5, 6] }, { id: 5, type: "x" }, {}])
          await run(store, "subscribe", { user: "ann", topic: "T", filter });
        await run(store, "subscribe", { user: "ann", topic: "U" });
      };
      await fill();
      await run(store, "unsubscribe", { user: "ann", topic: "T", filter: { id: 5 } });
      expect(await heldBy(store)).to.have.members(['T{"id":[5,6]}', "T{}", "U{}"]);
      await run(store, "revoke", { user: "ann", topic: "T", filter: { id: 6 } });
      expect(await heldBy(store)).to.have.members(["U{}"]);
      await fill();
      expect(await heldBy(store), "a later subscribe counts").to.have.length(5);
      await run(store, "revoke", { user: "ann", jti: "one token" });
      expect(await heldBy(store), "no token has made them").to.have.length(5);
      await run(store, "unsubscribe", { user: "ann", topic: "T*" });
      expect(await heldBy(store)).to.deep.equal(["U{}"]);
      await run(store, "unsubscribe", { user: "ann" });
      expect(await heldBy(store)).to.deep.equal([]);
    });

    it("keeps an unsubscribe with its time where nothing is held, for what tokens list, and no revocation", async () => {
      const store = await open();
      const before = Date.now() * 1000;
      await run(store, "unsubscribe", { user: "ann", topic: "T" });
      await run(store, "unsubscribe", { topic: "U*" });
      await run(store, "revoke", { user: "ann", topic: "V" }, "6");
      const { held: none, ends } = await store.of("5", ANN);
      expect(none).to.deep.equal([]);
      expect(ends.map(({ topic, wide }) => [topic, wide])).to.have.deep.members([
        ["T", false],
        ["U*", false],
      ]);
      for (const { stamp } of ends) expect(stamp).to.be.within(before - 1e6, Date.now() * 1000 + 1e6);
      expect((await store.of("5", { ...ANN, user: "bob" })).ends.map(({ topic }) => topic)).to.deep.equal(["U*"]);
      expect((await store.of("6", ANN)).ends).to.deep.equal([]);
    });

    it("ends for everybody on a site, whoever holds it", async () => {
      const store = await open();
      await run(store, "unsubscribe", { topic: "T" });
      for (const user of ["ann", "bob"]) await run(store, "subscribe", { user, topic: "T" });
      await run(store, "subscribe", { user: "ann", topic: "T" }, "6");
      await run(store, "unsubscribe", { topic: "T" });
      await run(store, "subscribe", { user: "bob", topic: "T" });
      expect(await heldBy(store)).to.deep.equal([]);
      expect(await heldBy(store, { ...ANN, user: "bob" })).to.deep.equal(["T{}"]);
      expect(await heldBy(store, ANN, "6")).to.deep.equal(["T{}"]);
    });

    it("ends for one owner what another of its owners holds, for that connection alone", async () => {
      const store = await open();
      await run(store, "subscribe", { user: "ann", topic: "T" });
      await run(store, "unsubscribe", { session: "s1", topic: "T" });
      expect(await heldBy(store)).to.deep.equal([]);
      expect(await heldBy(store, { ...ANN, session: "s2" })).to.deep.equal(["T{}"]);
    });

    it("bounds what one owner holds, and makes room for what has ended", async () => {
      const store = await open();
      for (let i = 0; i < MAX_HELD; i++) await run(store, "subscribe", { user: "ann", topic: `T${i}` });
      expect((await refusal(run(store, "subscribe", { user: "ann", topic: "more" }))).code).to.equal("limit");
      await run(store, "subscribe", { user: "ann", topic: "T7" });
      await run(store, "subscribe", { session: "s1", topic: "more" });
      expect(await heldBy(store)).to.have.length(MAX_HELD + 1);
      await run(store, "unsubscribe", { topic: "T1*" });
      await run(store, "subscribe", { user: "ann", topic: "more" });
      expect(await heldBy(store))
        .to.include("more{}")
        .and.not.include("T1{}");
    }).timeout(10_000);

    it("never forgets a revocation for want of room", async () => {
      const store = await open();
      for (const topic of ["secret", "old"]) await run(store, "subscribe", { user: "ann", topic });
      await run(store, "revoke", { topic: "secret" });
      await run(store, "unsubscribe", { topic: "old" });
      for (let i = 0; i < 1000; i++) await run(store, "unsubscribe", { topic: `gone${i}` });
      expect(await heldBy(store)).to.deep.equal(["old{}"]);
    }).timeout(10_000);

    it("forgets what nobody used for its life, and only that", async () => {
      const hour = 3_600_000;
      const { store, pass } = await openAging(20 * hour);
      await run(store, "subscribe", { user: "ann", topic: "T" });
      await run(store, "subscribe", { user: "bob", topic: "T" });
      for (let i = 0; i < 8; i++) {
        await pass(6 * hour);
        expect(await heldBy(store), "each use prolongs it").to.deep.equal(["T{}"]);
      }
      expect(await heldBy(store, { ...ANN, user: "bob" })).to.deep.equal([]);
      await pass(26 * hour);
      expect(await heldBy(store)).to.deep.equal([]);
    });

    it("holds for a connection that opens exactly what one would have that was open all along", async () => {
      const topic = fc.constantFrom("A", "B1", "B2");
      const filter = fc.constantFrom({}, { id: 1 }, { id: 2 }, { id: [1, 2] }, { id: 1, type: "x" });
      const target = fc.constantFrom({ user: "u1" }, { user: "u2" }, { session: "s1" }, { session: "s2" }, { client: "c1" });
      const pattern = fc.oneof(topic, fc.constantFrom("B*", "*"));
      const one = fc.oneof(
        fc.tuple(fc.constant("subscribe" as const), fc.record({ to: target, topic, filter })),
        fc.tuple(fc.constantFrom("unsubscribe" as const, "revoke" as const), fc.record({ to: target, topic: pattern, filter })),
        fc.tuple(fc.constantFrom("unsubscribe" as const, "revoke" as const), fc.record({ to: fc.constant({}), topic: pattern, filter })),
        fc.tuple(fc.constantFrom("unsubscribe" as const, "revoke" as const), fc.record({ to: target })),
      );
      let run = 0;
      const store = await open();
      await fc.assert(
        fc.asyncProperty(fc.array(one, { maxLength: 12 }), async (commands) => {
          const site = `site${run++}`;
          const all = commands.map(([kind, { to, ...scope }]) => command(kind, { ...to, ...scope }, site));
          for (const each of all) await (each.kind === "subscribe" ? store.add(each) : store.remove(each));
          for (const user of ["u1", "u2", ""])
            for (const session of ["s1", "s2"]) {
              const visitor = { user, session, client: "c1" };
              expect((await heldBy(store, visitor, site)).sort()).to.deep.equal([...openAllAlong(all, visitor)].sort());
            }
        }),
        { numRuns: 150 },
      );
    }).timeout(60_000);
  });
}

/** What a connection has that heard every command. */
function openAllAlong(commands: readonly Stored[], visitor: Visitor): Set<string> {
  const open = new Map<string, { topic: string; filter: ReturnType<typeof parseFilter> }>();
  for (const { kind, user, session, client, ...rest } of commands) {
    if ((user ?? visitor.user) !== visitor.user || (session ?? visitor.session) !== visitor.session) continue;
    if ((client ?? visitor.client) !== visitor.client) continue;
    const [topic, filter] = [rest.topic ?? "*", parseFilter(rest.filter)];
    if (kind === "subscribe") open.set(topic + filter.canonical, { topic, filter });
    for (const [name, one] of open) {
      const within = kind === "unsubscribe" && grantCovers({ topic, filter }, one.topic, one.filter);
      if (within || (kind === "revoke" && topicMatches(topic, one.topic) && filtersOverlap(filter, one.filter))) open.delete(name);
    }
  }
  return new Set(open.keys());
}

contract(
  "in memory",
  async () => new MemoryHeldStore(),
  async (life) => {
    const clock = new TestClock();
    return { store: new MemoryHeldStore({ life, clock }), pass: async (ms) => clock.pass(ms) };
  },
);

describe("what the server subscribed, kept in Redis", () => {
  let redis: TestRedis;
  const closers: (() => void)[] = [];
  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
  });
  beforeEach(() => redis.forget());
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });
  after(() => redis?.stop());

  async function open(life?: number): Promise<RedisHeldStore> {
    const client = connectCommands(redis.url);
    client.on("error", () => undefined);
    closers.push(() => client.disconnect());
    return new RedisHeldStore({ redis: client, keys: new Keys(), ...(life === undefined ? {} : { life }) });
  }

  /** Time passes for keys: each has so much less of it left. */
  async function openAging(life: number): Promise<Aging> {
    const raw = redis.client();
    closers.push(() => raw.disconnect());
    const pass = async (ms: number): Promise<void> => {
      for (const key of await raw.keys("*")) await raw.pexpire(key, (await raw.pttl(key)) - ms);
    };
    return { store: await open(life), pass };
  }

  contract("on Redis", open, openAging);

  it("outlives garbage under its names, of any type and size", async () => {
    const store = await open();
    await run(store, "subscribe", { user: "ann", topic: "T" });
    const raw = redis.client();
    closers.push(() => raw.disconnect());
    const keys = await raw.keys("*");
    const own = keys.find((key) => key.includes(":user:")) as string;
    const garbage = ["", "x", "T", "{}", "*{}", "$user{}", 'T{"id":{}}', "T{", "bad topic{}", `T{"id":"${"x".repeat(50_000)}"}`];
    await raw.zadd(own, ...garbage.flatMap((text) => [1, text]), "inf", "U{}");
    expect(await heldBy(store)).to.deep.equal(["T{}"]);
    await raw.zadd(keys.find((key) => !key.includes("user"))?.replace(/held.*/, "ends") as string, 9e15, "z*{}", 9e15, "u{", "inf", "");
    expect(await heldBy(store)).to.deep.equal(["T{}"]);
    for (const key of await raw.keys("*")) {
      await raw.del(key);
      await raw.set(key, "of another type");
    }
    expect(await heldBy(store)).to.deep.equal([]);
    await run(store, "subscribe", { user: "ann", topic: "V" });
    await run(store, "unsubscribe", { user: "ann", topic: "W" });
    await run(store, "unsubscribe", { topic: "W" });
    expect(await heldBy(store)).to.deep.equal(["V{}"]);
    await raw.zadd(own, ...Array.from({ length: 5000 }, (_, i) => [i, `X${i}{}`]).flat());
    expect(await heldBy(store), "nobody of ours wrote so many").to.deep.equal([]);
  });

  it("is asked once in a while for a site where nothing is held, and at once where something was told", async () => {
    const store = await open();
    const other = await open();
    expect(await heldBy(store)).to.deep.equal([]);
    const raw = redis.client();
    closers.push(() => raw.disconnect());
    await raw.config("RESETSTAT");
    for (let i = 0; i < 50; i++) await heldBy(store);
    expect(await raw.info("commandstats")).not.to.match(/cmdstat_evalsha/);
    await run(other, "subscribe", { user: "ann", topic: "T" });
    store.changed("5");
    expect(await heldBy(store)).to.deep.equal(["T{}"]);
  });

  it("rejects in time where it is away", async () => {
    const nowhere = connectCommands("redis://127.0.0.1:1");
    nowhere.on("error", () => undefined);
    closers.push(() => nowhere.disconnect());
    const store = new RedisHeldStore({ redis: nowhere, keys: new Keys() });
    const begun = performance.now();
    const errors = await Promise.all([refusal(heldBy(store)), refusal(run(store, "subscribe", { user: "ann", topic: "T" }))]);
    expect(errors.map(({ code }) => code)).to.deep.equal(["unavailable", "unavailable"]);
    expect(performance.now() - begun).to.be.below(4500);
  }).timeout(10_000);
});

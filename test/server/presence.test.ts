import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import type { BellwireError } from "@bellwire/protocol";
import { requires } from "../house/requires.js";
import { RedisCluster } from "../support/redis-cluster.js";
import { TestRedis } from "../support/redis.js";
import { refusal } from "./controlled.js";
import { Guest, openHost, type Host, type HostOptions } from "./presence-party.js";
import { eventually } from "./stage.js";

const names = ({ users }: { users: readonly { user: string }[] }): string[] => users.map(({ user }) => user).sort();

for (const onRedis of [false, true]) {
  describe(`presence ${onRedis ? "of a relay on Redis" : "of a relay alone"}`, () => {
    let redis: TestRedis | undefined;
    let host: Host;
    const hosts: Host[] = [];
    before(async function () {
      if (!onRedis) return;
      requires("redis-server", this);
      redis = await TestRedis.start();
    });
    after(() => redis?.stop());
    afterEach(async () => {
      for (const one of hosts.splice(0)) one.kill();
      const raw = redis?.client();
      await raw?.flushall();
      raw?.disconnect();
    });
    const open = (options: HostOptions = {}): Host => {
      const opened = openHost({ redis: redis?.url, ...options });
      hosts.push(opened);
      return opened;
    };
    beforeEach(() => {
      host = open();
    });

    let passersBy = 0;
    /** Somebody comes and goes after them: once that is told, whatever was to be told of those before has been. */
    const passed = async (witness: Guest): Promise<void> => {
      const user = `passer-by ${++passersBy}`;
      const guest = new Guest(user);
      host.join(guest);
      await eventually(() => witness.knows.includes(user), "a later one is told");
      host.leave(guest);
      await eventually(() => witness.told.some(({ left }) => left.some((each) => each.user === user)), "its end is told");
    };

    it("lists users with their info, each once however many tabs they have", async () => {
      const [ann, tab, bob] = [new Guest("ann", { info: { name: "Ann" } }), new Guest("ann", { info: { name: "Ann" } }), new Guest("bob")];
      for (const guest of [ann, tab, bob]) host.join(guest);
      const { users, count } = await host.roster.ask(ann.connection, "T");
      expect([...users].sort((a, b) => (a.user < b.user ? -1 : 1))).to.deep.equal([
        { user: "ann", info: { name: "Ann" } },
        { user: "bob" },
      ]);
      expect(count).to.equal(2);
      expect(await host.roster.list("5", "T")).to.deep.equal({ users, count });
      host.leave(tab);
      await passed(bob);
      expect((await host.roster.list("5", "T")).count, "one tab is left").to.equal(2);
      host.leave(ann);
      await eventually(() => bob.told.at(-1)?.left[0]?.user === "ann", "the last tab is told");
      expect(names(await host.roster.list("5", "T"))).to.deep.equal(["bob"]);
    });

    it("tells subscribers of the topic who comes, who goes and whose info changes", async () => {
      const [ann, stranger, elsewhere] = [new Guest("ann"), new Guest("sid"), new Guest("eve", { site: "6" })];
      host.join(ann);
      host.join(stranger, "Other");
      host.join(elsewhere);
      await eventually(() => ann.knows.includes("ann"), "ann hears of herself");
      const bob = new Guest("bob", { info: [1, { a: [] }] });
      host.join(bob);
      await eventually(() => ann.knows.includes("bob"), "ann hears of bob");
      expect(ann.told.at(-1)).to.deep.equal({ topic: "T", joined: [{ user: "bob", info: [1, { a: [] }] }], left: [], count: 2 });
      host.join(new Guest("bob", { info: "new" }));
      await eventually(() => ann.told.at(-1)?.joined[0]?.info === "new", "ann hears of bob's new info");
      host.leave(ann);
      await eventually(() => bob.told.at(-1)?.left[0]?.user === "ann", "bob hears of it");
      expect([bob.told.at(-1)?.count, stranger.frames, elsewhere.knows]).to.deep.equal([1, 0, ["eve"]]);
    });

    it("does not flicker where somebody is back within the grace", async () => {
      host = open({ relay: "two", timing: { grace: 2000 } });
      const [ann, bob] = [new Guest("ann"), new Guest("bob")];
      host.join(ann);
      host.join(bob);
      await eventually(() => ann.knows.length === 2, "both are there");
      const heard = ann.told.length;
      for (let i = 0; i < 4; i++) {
        host.leave(bob);
        expect(names(await host.roster.list("5", "T"))).to.deep.equal(["ann", "bob"]);
        host.join(bob);
        await host.roster.list("5", "T"); // what either has written is in the store then
      }
      host.join(new Guest("later"));
      await eventually(() => ann.knows.includes("later"), "somebody who comes later is told");
      expect(ann.told.slice(heard).flatMap(({ joined, left }) => [...joined, ...left].map(({ user }) => user))).to.deep.equal(["later"]);
    });

    it("holds a connection's several subscriptions of a topic for one", async () => {
      const [ann, bob] = [new Guest("ann"), new Guest("bob")];
      host.join(bob);
      host.join(ann);
      host.join(ann);
      host.leave(ann);
      await passed(bob);
      expect(names(await host.roster.ask(bob.connection, "T"))).to.deep.equal(["ann", "bob"]);
      host.leave(ann);
      host.leave(ann);
      await eventually(() => bob.knows.length === 1, "ann is gone");
    });

    it("counts the anonymous, once for each session or page, and never lists them", async () => {
      const ann = new Guest("ann");
      const strangers = [new Guest("", { session: "s" }), new Guest("", { session: "s", info: "x" }), new Guest(""), new Guest("")];
      for (const guest of [ann, ...strangers]) host.join(guest);
      await eventually(() => ann.told.at(-1)?.count === 4, "ann hears how many are there");
      expect(ann.knows).to.deep.equal(["ann"]);
      expect(await host.roster.ask(ann.connection, "T")).to.deep.equal({ users: [{ user: "ann" }], count: 4 });
      for (const guest of strangers) host.leave(guest);
      await eventually(() => ann.told.at(-1)?.count === 1, "they are gone");
      expect(ann.told.every(({ left }) => left.length === 0)).to.equal(true);
    });

    it("tells counts alone where only they are allowed", async () => {
      host = open({ relay: "two", modes: { C: "count" } });
      const [ann, bob] = [new Guest("ann", { info: "secret" }), new Guest("bob")];
      host.join(ann, "C");
      await eventually(() => ann.told.at(-1)?.count === 1, "ann hears of one");
      host.join(bob, "C");
      await eventually(() => ann.told.at(-1)?.count === 2, "ann hears of two");
      expect(await host.roster.ask(ann.connection, "C")).to.deep.equal({ users: [], count: 2 });
      expect(await host.roster.list("5", "C")).to.deep.equal({ users: [], count: 2 });
      expect(JSON.stringify(ann.told)).not.to.match(/ann|bob|secret/);
    });

    it("is refused where the topic has none, and to whoever is not subscribed", async () => {
      const [ann, bob] = [new Guest("ann"), new Guest("bob")];
      for (const name of ["T", "Other"]) host.join(ann, name);
      const code = async (asked: Promise<unknown>): Promise<BellwireError["code"]> => (await refusal(asked)).code;
      expect(await code(host.roster.ask(bob.connection, "T"))).to.equal("forbidden");
      expect(await code(host.roster.ask(new Guest("ann", { site: "6" }).connection, "T"))).to.equal("forbidden");
      expect(await code(host.roster.ask(ann.connection, "Other"))).to.equal("forbidden");
      expect(await code(host.roster.ask(ann.connection, "$user:x"))).to.equal("forbidden");
      expect(await code(host.roster.ask(ann.connection, { a: 1 }))).to.equal("bad-request");
      expect(await code(host.roster.list("5", "Other"))).to.equal("forbidden");
      expect(await code(host.roster.list("a b", "T"))).to.equal("bad-request");
      host.leave(ann);
      expect(await code(host.roster.ask(ann.connection, "T"))).to.equal("forbidden");
    });

    it("leaves out info that is too long or no JSON", async () => {
      const circle: Record<string, unknown> = {};
      circle.circle = circle;
      const guests = [new Guest("a", { info: "x".repeat(3000) }), new Guest("b", { info: circle }), new Guest("c", { info: () => 1 })];
      for (const guest of guests) host.join(guest);
      const { users } = await host.roster.ask((guests[0] as Guest).connection, "T");
      expect([...users].sort((a, b) => (a.user < b.user ? -1 : 1))).to.deep.equal([{ user: "a" }, { user: "b" }, { user: "c" }]);
    });

    it("tells the count alone where too many come at once", async () => {
      const ann = new Guest("ann");
      host.join(ann);
      await eventually(() => ann.knows.length === 1, "ann is there");
      for (let i = 0; i < 1000; i++) host.join(new Guest(`user-${i}`));
      await eventually(() => ann.told.at(-1)?.count === 1001, "ann hears of all");
      expect(ann.told.some(({ incomplete, joined }) => incomplete === true && joined.length === 0)).to.equal(true);
      expect(ann.told.every(({ joined }) => joined.length <= 200)).to.equal(true);
    });

    it("stays cheap with ten thousand present", async () => {
      const guests = Array.from({ length: 10_000 }, (_, i) => new Guest(`user-${i}`, { info: { n: i } }));
      for (const guest of guests) host.join(guest);
      const first = guests[0] as Guest;
      const present = await host.roster.ask(first.connection, "T");
      expect([present.users.length, present.count]).to.deep.equal([10_000, 10_000]);
      await eventually(() => first.told.at(-1)?.count === 10_000, "all have been told", 15_000);
      const { apply = 0, snapshot = 0 } = host.calls;
      const frames = first.frames;
      const begun = performance.now();
      for (let i = 0; i < 100; i++) host.join(new Guest(`late-${i}`));
      expect(performance.now() - begun, "100 joins").to.be.below(50);
      await eventually(() => first.told.at(-1)?.count === 10_100, "the late are told", 15_000);
      expect((host.calls.apply as number) - apply, "writes").to.be.at.most(3);
      expect(first.frames - frames, "frames for each").to.be.at.most(2);
      expect(host.calls.snapshot, "the list is not read for that").to.equal(snapshot);
      await Promise.all(guests.slice(0, 1000).map((guest) => host.roster.ask(guest.connection, "T")));
      expect((host.calls.snapshot as number) - snapshot, "readings for a thousand who ask").to.be.at.most(2);
    }).timeout(30_000);

    it("keeps nothing of topics that everybody has left", async () => {
      const ann = new Guest("ann");
      host.join(ann);
      host.leave(ann);
      expect(host.roster.size).to.equal(1);
      await eventually(() => host.roster.size === 0, "the topic is forgotten");
      expect((await host.roster.list("5", "T")).count).to.equal(0);
    });
  });
}

describe("presence right across relays", () => {
  let redis: TestRedis;
  const hosts: Host[] = [];
  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
  });
  after(() => redis?.stop());
  afterEach(async () => {
    for (const one of hosts.splice(0)) one.kill();
    const raw = redis.client();
    await raw.flushall();
    raw.disconnect();
  });
  const open = (relay: string, options: HostOptions = {}): Host => {
    const opened = openHost({ redis: redis.url, relay, ...options });
    hosts.push(opened);
    return opened;
  };
  /** Two relays with bob on the second one, who hears of the others, who come to the first one later. */
  const withBob = async (...guests: Guest[]): Promise<[one: Host, two: Host, bob: Guest]> => {
    const [one, two, bob] = [open("one"), open("two"), new Guest("bob")];
    two.join(bob);
    await eventually(() => bob.knows.length === 1, "bob is there");
    for (const guest of guests) one.join(guest);
    const others = new Set(guests.map(({ user }) => user)).size;
    await eventually(() => bob.knows.length === 1 + others, "all are there");
    return [one, two, bob];
  };

  /** Whatever a host had to tell before is known to a guest once it knows what the host tells now. */
  const untilToldBy = async (host: Host, guest: Guest): Promise<void> => {
    host.join(new Guest("later"));
    await eventually(() => guest.knows.includes("later"), "who came later is told of");
  };

  it("is right on a Cluster too", async () => {
    const cluster = await RedisCluster.start({ replicas: 0 });
    try {
      const modes = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`T${i}`, "list" as const]));
      const [one, two] = [open("one", { redis: { nodes: cluster.nodes }, modes }), open("two", { redis: { nodes: cluster.nodes }, modes })];
      const [ann, bob] = [new Guest("ann"), new Guest("bob")];
      const topics = Object.keys(modes);
      for (const name of topics) two.join(bob, name);
      await eventually(() => new Set(bob.told.map(({ topic }) => topic)).size === topics.length, "bob is there", 15_000);
      for (const name of topics) one.join(ann, name);
      const heard = (which: "joined" | "left"): number => bob.told.filter((told) => told[which].some(({ user }) => user === "ann")).length;
      await eventually(() => heard("joined") === topics.length, "bob hears of ann everywhere");
      expect(names(await two.roster.list("5", "T3"))).to.deep.equal(["ann", "bob"]);
      one.kill();
      await eventually(() => heard("left") === topics.length, "bob hears that she is gone", 10_000);
    } finally {
      for (const host of hosts.splice(0)) host.kill();
      await cluster.stop();
    }
  }).timeout(60_000);

  it("lists and tells of users of all of them, and of none twice", async () => {
    const [ann, again] = [new Guest("ann"), new Guest("ann")];
    const [one, two, bob] = await withBob(ann);
    two.join(again);
    expect(names(await two.roster.ask(bob.connection, "T"))).to.deep.equal(["ann", "bob"]);
    one.leave(ann);
    await eventually(() => one.roster.size === 0, "the first one has told that she left it");
    await untilToldBy(one, bob);
    expect(names(await one.roster.list("5", "T")), "she has a tab on the other one").to.deep.equal(["ann", "bob", "later"]);
    expect(bob.told.flatMap(({ left }) => left)).to.deep.equal([]);
    two.leave(again);
    await eventually(() => bob.told.flatMap(({ left }) => left).length === 1, "bob hears that ann is gone");
    expect(bob.told.flatMap(({ left }) => left)).to.deep.equal([{ user: "ann" }]);
  });

  it("does not flicker where a user moves from one to another within the grace", async () => {
    const ann = new Guest("ann");
    const [one, two, bob] = await withBob(ann);
    one.leave(ann);
    two.join(ann);
    await eventually(() => one.roster.size === 0, "the first one has told that she left it");
    await untilToldBy(one, bob);
    expect(bob.told.flatMap(({ left }) => left)).to.deep.equal([]);
    expect(names(await two.roster.ask(bob.connection, "T"))).to.deep.equal(["ann", "bob", "later"]);
  });

  it("is rid of a killed relay's users, told to those who are left", async () => {
    const moved = new Guest("moved");
    const [one, two, bob] = await withBob(new Guest("ann"), moved);
    one.kill();
    two.join(moved);
    await eventually(() => bob.knows.length === 2, "ann is gone");
    expect(bob.told.flatMap(({ left }) => left)).to.deep.equal([{ user: "ann" }]);
    expect(await two.roster.ask(bob.connection, "T")).to.deep.include({ count: 2 });
  });

  it("is rid of ten thousand users of a killed relay", async () => {
    const [one, two] = [open("one"), open("two")];
    const bob = new Guest("bob");
    two.join(bob);
    for (let i = 0; i < 10_000; i++) one.join(new Guest(`user-${i}`));
    await eventually(() => bob.told.at(-1)?.count === 10_001, "all are there", 15_000);
    one.kill();
    await eventually(() => bob.told.at(-1)?.count === 1, "all are gone", 15_000);
    expect(await two.roster.list("5", "T")).to.deep.equal({ users: [{ user: "bob" }], count: 1 });
  }).timeout(40_000);

  it("gives its default timing time to notice within 30 s", async () => {
    const one = open("one", { lease: { life: 15_000, beat: 5000 } });
    one.join(new Guest("ann"));
    await one.roster.list("5", "T");
    await eventually(() => one.lease?.live.has("one") === true, "the lease is held");
    const until = Number(await one.client?.zscore("bellwire:0:leases", "one"));
    expect(until - Date.now()).to.be.within(1, 15_100);
  });

  it("is whole again after a flush", async () => {
    const [one, , bob] = await withBob(new Guest("ann"));
    await one.client?.flushall();
    for (const end = Date.now() + 5000; names(await one.roster.list("5", "T")).length < 2; await pause(20)) {
      expect(Date.now()).to.be.below(end);
    }
    await eventually(() => bob.told.some(({ incomplete }) => incomplete === true), "bob hears that he does not know all");
  });

  it("goes on after Redis was away, with what happened meanwhile", async () => {
    const away = await TestRedis.start();
    const [one, two] = [openHost({ redis: away.url, relay: "one" }), openHost({ redis: away.url, relay: "two" })];
    hosts.push(one, two);
    const [ann, bob, carl] = [new Guest("ann"), new Guest("bob"), new Guest("carl")];
    one.join(ann);
    await eventually(() => ann.knows.length === 1, "ann is there");
    two.join(bob);
    await eventually(() => ann.knows.length === 2, "both are there");
    await away.kill();
    two.leave(bob);
    two.join(carl);
    expect((await refusal(one.roster.list("5", "T"))).code).to.equal("unavailable");
    await away.run();
    const done = async (): Promise<boolean> => {
      const present = await one.roster.list("5", "T").catch(() => undefined);
      return present !== undefined && names(present).join() === "ann,carl";
    };
    for (const end = Date.now() + 10_000; !(await done()); await pause(50)) expect(Date.now()).to.be.below(end);
    const dora = new Guest("dora");
    two.join(dora);
    await eventually(() => ann.knows.includes("dora"), "changes are told again");
    for (const host of hosts.splice(0)) host.kill();
    await away.stop();
  }).timeout(30_000);

  it("is not lost by a relay that others took for gone", async () => {
    const [one, two, bob] = await withBob(new Guest("ann"));
    // As if the relay had been stopped for a while.
    await one.client?.zadd("bellwire:0:leases", 1, "one");
    await two.lease?.beat();
    await two.store.sweep("5", "T");
    for (const end = Date.now() + 5000; names(await two.roster.list("5", "T")).length < 2; await pause(20)) {
      expect(Date.now()).to.be.below(end);
    }
    await eventually(() => bob.knows.length === 2, "bob knows again");
  });
});

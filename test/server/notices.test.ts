import type { Subscription } from "../../server/src/connection/connection.js";
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import type { RedisClient } from "@bellwire/emitter/redis";
import type { Notice } from "../../server/src/notices/notice.js";
import { requires } from "../house/requires.js";
import { RedisCluster } from "../support/redis-cluster.js";
import { TestRedis } from "../support/redis.js";
import { ALL, backend, openNoticeHost, type Backend, type Host, type Settings } from "./notice-host.js";
import { eventually, eventuallyAsked, Stage } from "./stage.js";

for (const onRedis of [false, true]) {
  describe(`notices ${onRedis ? "of a relay on Redis" : "of a relay alone"}`, () => {
    let redis: TestRedis | undefined;
    let told: Backend;
    const hosts: Host[] = [];
    before(async function () {
      if (!onRedis) return;
      requires("redis-server", this);
      redis = await TestRedis.start();
    });
    after(() => redis?.stop());
    beforeEach(() => {
      told = backend();
    });
    afterEach(async () => {
      for (const host of hosts.splice(0)) host.kill();
      const raw = redis?.client();
      await raw?.flushall();
      raw?.disconnect();
    });
    const open = (settings: Settings = ALL, grace = 60): Host => {
      const host = openNoticeHost(told, { redis: redis?.url, settings, grace });
      hosts.push(host);
      return host;
    };

    let passersBy = 0;
    /** Somebody comes to a topic of their own and goes: once that is told, whatever was to be told of before has been. */
    const passed = async (host: Host, event: "occupied" | "vacated" = "vacated", prefix = ""): Promise<string> => {
      const topic = `${prefix}Passing${++passersBy}`;
      const connection = host.connect("passer-by");
      host.notices.ended(connection, host.subscribe(connection, topic));
      await eventually(() => told.of(event).some((notice) => notice.topic === topic), "a later one is told");
      return topic;
    };
    const about = (topic: string): string[] => told.events.filter((notice) => notice.topic === topic).map(({ event }) => event);

    it("tell of connections that come and go, with the reason", async () => {
      const host = open();
      const ann = host.connect("ann");
      await eventually(() => told.events.length === 1, "it is told");
      const party = { site: "5", user: "ann", session: "s", client: "page", connection: ann.id };
      const [{ id, time, ...rest }] = told.events as [Notice];
      expect(rest).to.deep.equal({ event: "connected", ...party });
      expect([typeof id, Math.abs(time - Date.now()) < 5000]).to.deep.equal(["string", true]);
      host.end(ann, "ping timeout");
      await eventually(() => told.events.length === 2, "its end is told");
      expect(told.events[1]).to.deep.include({ event: "disconnected", ...party, reason: "ping timeout" });
      expect(new Set(told.events.map((notice) => notice.id)).size).to.equal(2);
    });

    it("tell of topics that get their first subscription and lose their last", async () => {
      const host = open();
      const [ann, bob] = [host.connect("ann"), host.connect("bob")];
      const subscriptions = [host.subscribe(ann, "T", { id: 5 }), host.subscribe(bob, "T"), host.subscribe(bob, "$user:x")];
      await eventually(() => told.of("occupied").length === 1, "it is told");
      host.notices.ended(ann, subscriptions[0] as Subscription);
      await passed(host);
      expect(about("T")).to.deep.equal(["occupied"]);
      host.notices.ended(bob, subscriptions[1] as Subscription);
      host.notices.ended(bob, subscriptions[2] as Subscription);
      await eventually(() => about("T").length === 2, "its end is told");
      const { id, time, ...rest } = told.of("vacated").find(({ topic }) => topic === "T") as Notice;
      expect(rest).to.deep.equal({ event: "vacated", site: "5", user: "", session: "", client: "", connection: "", topic: "T" });
      expect([typeof id, time >= (told.of("occupied")[0]?.time as number)]).to.deep.equal(["string", true]);
      await passed(host);
      expect(about("T")).to.deep.equal(["occupied", "vacated"]);
      expect(about("$user:x")).to.deep.equal([]);
    });

    it("say nothing of a page that is loaded anew", async () => {
      const host = open(ALL, 2000);
      const ann = host.connect("ann");
      for (let i = 0; i < 3; i++) {
        host.notices.ended(ann, host.subscribe(ann, "T"));
        await passed(host, "occupied");
      }
      host.subscribe(ann, "T");
      await passed(host, "occupied");
      expect(about("T")).to.deep.equal(["occupied"]);
    });

    it("tell of each filter where that is asked for, and of the topics that are asked for", async () => {
      const host = open({ events: ["occupied"], topics: ["Contact_*"], filters: true });
      const ann = host.connect("ann");
      for (const filter of [{ id: 5 }, { id: [6, 5] }, { id: 5 }, {}]) host.subscribe(ann, "Contact_T", filter);
      host.notices.ended(ann, host.subscribe(ann, "Contact_U", { a: 1 }));
      host.subscribe(ann, "Other");
      await eventually(() => told.events.length === 4, "they are told");
      const passing = await passed(host, "occupied", "Contact_");
      const places = told.events
        .filter(({ topic }) => topic !== passing)
        .map(({ event, topic, filter }) => [event, topic, JSON.stringify(filter)].join(" "))
        .sort();
      expect(places).to.deep.equal([
        'occupied Contact_T {"id":5}',
        'occupied Contact_T {"id":[5,6]}',
        "occupied Contact_T {}",
        'occupied Contact_U {"a":1}',
      ]);
    });

    it("come again until they are taken, with the same id", async () => {
      const host = open();
      told.down = true;
      const ann = host.connect("ann");
      host.end(ann);
      await eventually(() => told.refused >= 2, "it was tried twice");
      expect([told.events.length, host.notices.waiting]).to.deep.equal([0, 2]);
      told.down = false;
      await eventually(() => told.events.length === 2, "they are told");
      expect(told.events.map(({ event }) => event)).to.deep.equal(["connected", "disconnected"]);
      expect([host.notices.waiting, host.notices.told, host.notices.dropped]).to.deep.equal([0, 2, 0]);
    });
  });
}

describe("notices of relays that share a Redis", () => {
  let redis: TestRedis;
  let told: Backend;
  const hosts: Host[] = [];
  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
  });
  after(() => redis?.stop());
  beforeEach(() => {
    told = backend();
  });
  afterEach(async () => {
    for (const host of hosts.splice(0)) host.kill();
    const raw = redis.client();
    await raw.flushall();
    raw.disconnect();
  });
  const open = (relay: string, to = told): Host => {
    const host = openNoticeHost(to, { redis: redis.url, relay });
    hosts.push(host);
    return host;
  };
  const registered = async (relay: string): Promise<string[]> => {
    const raw = redis.client();
    const fields = await raw.hkeys(`bellwire:0:notices:{${relay}}`);
    raw.disconnect();
    return fields;
  };
  const until = async (condition: () => Promise<boolean>, what: string): Promise<void> => {
    for (const end = Date.now() + 5000; !(await condition()); await pause(10)) {
      if (Date.now() > end) throw new Error(`Not in 5 s: ${what}`);
    }
  };

  /** For a while after its start a relay takes nobody for gone. */
  const impatient = (host: Host): Promise<void> => new Promise((resolve) => host.lease?.start({ expired: () => resolve() }));
  /** A relay tells in turn, so what it tells now comes after all that it had to tell. */
  const untilToldBy = async (...relays: Host[]): Promise<void> => {
    const ids = relays.map((relay) => relay.connect("later").id);
    await eventually(() => ids.every((id) => told.of("connected").some(({ connection }) => connection === id)), "what came later is told");
  };

  it("tell of a topic's first and last subscription on all of them", async () => {
    const [one, two] = [open("one"), open("two")];
    const [ann, bob] = [one.connect("ann"), two.connect("bob")];
    const first = one.subscribe(ann, "T");
    await eventually(() => told.of("occupied").length === 1, "it is occupied");
    const second = two.subscribe(bob, "T");
    await until(async () => (await registered("two")).some((field) => field.startsWith("t:")), "the second one is registered");
    one.notices.ended(ann, first);
    await until(async () => !(await registered("one")).some((field) => field.startsWith("t:")), "the first one is gone");
    expect(told.of("vacated")).to.deep.equal([]);
    two.notices.ended(bob, second);
    await eventually(() => told.of("vacated").length === 1, "it is vacated");
    expect(told.of("occupied")).to.have.length(1);
  });

  it("leave nothing registered once they are told", async () => {
    const one = open("one");
    const ann = one.connect("ann");
    const subscription = one.subscribe(ann, "T");
    await until(async () => (await registered("one")).length === 2, "connection and topic are registered, and no notice waits");
    one.notices.ended(ann, subscription);
    one.end(ann);
    await until(async () => (await registered("one")).length === 0, "nothing is left");
    await until(async () => (await one.client?.keys("*:occupied*"))?.length === 0, "nobody is there");
  });

  it("of a relay that was killed are told by another one: its connections, its topics, and what it had not told", async () => {
    const unreachable = backend();
    unreachable.down = true;
    const one = open("one", unreachable);
    const two = open("two");
    const [ann, left, bob] = [one.connect("ann"), one.connect("left"), two.connect("bob")];
    for (const topic of ["T", "Both"]) one.subscribe(ann, topic);
    two.subscribe(bob, "Both");
    one.end(left, "transport error");
    const complete = (fields: string[]): boolean => fields.filter((field) => field.startsWith("t:")).length === 2 && fields.length >= 6;
    await until(async () => complete(await registered("one")), "all is registered");
    one.kill();
    await eventually(() => told.of("disconnected").length === 2 && told.of("vacated").length === 1, "the other one tells");
    expect(told.of("disconnected").map(({ user, reason, connection }) => [user, reason, connection])).to.have.deep.members([
      ["ann", "relay-lost", ann.id],
      ["left", "transport error", left.id],
    ]);
    expect(told.of("connected").map(({ user }) => user)).to.have.members(["ann", "left", "bob"]);
    expect(told.of("vacated").map(({ topic }) => topic)).to.deep.equal(["T"]);
    await untilToldBy(two);
    expect(new Set(told.events.map(({ id }) => id)).size).to.equal(told.events.length);
    const raw = two.client as RedisClient;
    expect((await raw.keys("*notices:{one}*")).filter((key) => !key.endsWith(":mark"))).to.deep.equal([]);
  });

  it("of a killed relay with thousands of connections are all told, once each where several take over", async () => {
    const one = open("one");
    for (let i = 0; i < 3000; i++) one.connect(`user-${i}`);
    await until(async () => (await registered("one")).length === 3000 && one.notices.waiting === 0, "all are registered and told");
    const others = [open("two"), open("three")];
    one.kill();
    await eventually(() => told.of("disconnected").length >= 3000, "all ends are told", 15_000);
    await untilToldBy(...others);
    expect(new Set(told.of("disconnected").map(({ connection }) => connection)).size).to.equal(3000);
    expect(told.of("disconnected")).to.have.length(3000);
  }).timeout(30_000);

  it("of a relay that dies while it takes over are told by the next", async () => {
    const unreachable = backend();
    unreachable.down = true;
    const one = open("one");
    const ann = one.connect("ann");
    await until(async () => (await registered("one")).length === 1, "it is registered");
    const two = open("two", unreachable);
    one.kill();
    await eventually(() => two.notices.waiting === 1, "the second one has taken it over", 5000);
    await until(async () => (await registered("two")).some((field) => field.startsWith("e:")), "and registered it");
    open("three");
    two.kill();
    await eventually(() => told.of("disconnected").length === 1, "the third one tells");
    expect(told.of("disconnected")[0]).to.deep.include({ connection: ann.id, reason: "relay-lost" });
  });

  it("say so where a relay was taken for gone and is back", async () => {
    const [one, two] = [open("one"), open("two")];
    const ann = one.connect("ann");
    await until(async () => (await registered("one")).length === 1, "it is registered");
    await impatient(two);
    // As if it had been stopped for a while.
    await two.client?.zadd("bellwire:0:leases", Date.now() - 1000, "one");
    await two.lease?.beat();
    await eventually(() => told.of("connected").some(({ reason }) => reason === "relay-restored"), "it is back");
    expect(told.of("disconnected").map(({ reason }) => reason)).to.deep.equal(["relay-lost"]);
    one.end(ann);
    await eventually(() => told.of("disconnected").length === 2, "its end is told");
    expect(new Set(told.events.map(({ id }) => id)).size).to.equal(4);
  });

  it("go on while Redis is away, and are registered again when it is back or flushed", async () => {
    const one = open("one");
    one.subscribe(one.connect("ann"), "T");
    await until(async () => (await registered("one")).length === 2, "it is registered");
    await one.client?.flushall();
    await until(async () => (await registered("one")).length === 2, "it is registered again");
    const away = await TestRedis.start();
    const host = openNoticeHost(told, { redis: away.url });
    hosts.push(host);
    host.connect("bob");
    await eventually(() => told.of("connected").length === 2, "bob is told");
    await away.kill();
    const carl = host.connect("carl");
    await eventually(() => told.of("connected").length === 3, "carl is told");
    await away.run();
    const raw = away.client();
    await until(async () => (await raw.hkeys("bellwire:0:notices:{one}")).includes(`c:${carl.id}`), "carl is registered");
    raw.disconnect();
    host.kill();
    await away.stop();
  }).timeout(20_000);

  it("outlive garbage in what another relay left", async () => {
    const two = open("two");
    await impatient(two);
    const raw = two.client as RedisClient;
    await raw.hset(
      "bellwire:0:notices:{bad}",
      "c:x",
      "{",
      "c:y",
      '{"site":5}',
      "e:z",
      "[]",
      "t:5:T:",
      '{"site":"5","topic":"a b"}',
      "q",
      "",
    );
    await raw.hset(
      "bellwire:0:notices:{bad}",
      "c:ok",
      JSON.stringify({ site: "5", user: "u", session: "", client: "", connection: "k", times: 1 }),
    );
    await raw.set("bellwire:0:notices:{worse}", "text");
    await raw.zadd("bellwire:0:leases", Date.now() - 1000, "bad", Date.now() - 1000, "worse");
    await eventually(() => told.events.length > 0, "what can be read is told");
    await until(async () => (await raw.keys("*{bad}")).length + (await raw.keys("*{worse}")).length === 0, "the rest is gone");
    expect(told.events.map(({ event, connection }) => [event, connection])).to.deep.equal([["disconnected", "k"]]);
  });
});

describe("notices of relays that share a Redis Cluster", () => {
  let cluster: RedisCluster;
  const hosts: Host[] = [];
  before(async function () {
    this.timeout(60_000);
    requires("redis-server", this);
    cluster = await RedisCluster.start({ replicas: 0 });
  });
  after(() => cluster?.stop());
  afterEach(() => {
    for (const host of hosts.splice(0)) host.kill();
  });

  it("of a killed relay are told by another one", async () => {
    const told = backend();
    const [one, two] = ["one", "two"].map((relay) => openNoticeHost(told, { redis: { nodes: cluster.nodes }, relay })) as [Host, Host];
    hosts.push(one, two);
    await eventually(() => two.lease?.live.size === 2, "they know of each other");
    for (let i = 0; i < 20; i++) one.subscribe(one.connect(`user-${i}`), `T${i}`);
    await eventually(() => told.of("occupied").length === 20 && one.notices.waiting === 0, "all are occupied");
    const registered = async (): Promise<number> => (await two.client?.hlen("bellwire:0:notices:{one}")) ?? 0;
    await eventuallyAsked(async () => (await registered()) === 40, "all are registered");
    one.kill();
    await eventually(() => told.of("vacated").length === 20 && told.of("disconnected").length === 20, "all ends are told", 10_000);
  }).timeout(20_000);
});

describe("notices of a whole relay", () => {
  const stage = Stage.forEachTest();

  it("tell of real sockets", async () => {
    const told = backend();
    const relay = await stage.relay();
    const { notices } = openNoticeHost(told, {});
    stage.closeLater(() => notices.stop());
    (relay.relay.reception as unknown as { observers: unknown[] }).observers.push(notices); // the same class, once as source and once as built
    (relay.relay.subscriptions.observers as unknown[]).push(notices);
    const client = await stage.connect(relay, { claims: { sub: "ann" } });
    await client.subscribe({ id: "a", topic: "T" });
    await eventually(() => told.of("connected").length === 1 && told.of("occupied").length === 1, "they are told");
    expect(told.of("connected")[0]).to.deep.include({ user: "ann", connection: client.socket.id });
    client.close();
    await eventually(() => told.of("disconnected").length === 1 && told.of("vacated").length === 1, "the end is told");
    expect(told.of("disconnected")[0]).to.deep.include({
      connection: told.of("connected")[0]?.connection,
      reason: "client namespace disconnect",
    });
  });
});

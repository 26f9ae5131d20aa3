import { expect } from "chai";

import { connectCommands, Keys } from "@bellwire/emitter/redis";
import { parseFilter } from "@bellwire/protocol";
import { MemoryBus } from "../../server/src/stores/memory/bus.js";
import { RedisBus } from "../../server/src/stores/redis/bus.js";
import { Watchers } from "../../server/src/control/watchers.js";
import { parseWatchQuestion, type WatchQuestion } from "../../server/src/stores/watch-question.js";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { listening } from "./controlled.js";
import { eventually, Stage } from "./stage.js";

const ask = (topic: string, filter: object = {}, site = "5"): WatchQuestion => ({ site, topic, filter: parseFilter(filter) });

describe("who watches on a relay", () => {
  const stage = Stage.forEachTest();

  it("is answered by topic and by filter, as far as one message could match both", async () => {
    const relay = await stage.relay();
    const watchers = new Watchers();
    (relay.relay.subscriptions.observers as unknown[]).push(watchers); // the same class, once as source and once as built
    const client = await stage.connect(relay);
    expect(watchers.watches(ask("T"))).to.equal(false);
    await client.subscribe(
      { id: "a", topic: "T", filter: { id: [5, 6], type: "x" } },
      { id: "b", topic: "T", filter: { id: 7 } },
      { id: "c", topic: "All" },
      { id: "d", topic: "Wide", filter: { a: 1, b: 2 } },
    );
    const yes = [
      ask("T"),
      ask("T", { id: 7 }),
      ask("T", { id: [1, 7] }),
      ask("T", { id: 5, type: "x" }),
      ask("T", { id: 6 }),
      ask("T", { type: "y" }),
      ask("T", { id: 7, type: "y", other: null }),
      ask("All", { anything: 1 }),
      ask("Wide", { b: 2, c: 3 }),
    ];
    const no = [
      ask("T", { id: "7" }),
      ask("T", { id: 5, type: "y" }),
      ask("T", { id: [1, 2] }),
      ask("T", { id: 5, type: ["y", "z"] }),
      ask("T", {}, "6"),
      ask("Wide", { b: 3 }),
      ask("Other"),
    ];
    for (const question of yes) expect(watchers.watches(question), JSON.stringify(question)).to.equal(true);
    for (const question of no) expect(watchers.watches(question), JSON.stringify(question)).to.equal(false);
    await client.emit("unsubscribe", ["a", "b"]);
    for (const question of yes.filter(({ topic }) => topic === "T")) expect(watchers.watches(question)).to.equal(false);
    client.close();
    await eventually(() => !watchers.watches(ask("All")), "nobody watches");
  });

  it("is asked in no other form", () => {
    expect(parseWatchQuestion("5", "T", { a: 1 })?.filter.canonical).to.equal('{"a":1}');
    for (const [site, topic, filter] of [
      [5, "T", {}],
      ["5", "a b", {}],
      ["5", "T", { a: {} }],
      ["5", "T", 5],
    ]) {
      expect(parseWatchQuestion(site, topic, filter)).to.equal(undefined);
    }
  });
});

describe("who watches on all relays", () => {
  let redis: TestRedis;
  const closers: (() => unknown)[] = [];
  const nothing = (): void => undefined;

  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
  });
  after(() => redis?.stop());
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
    const raw = redis.client();
    await raw.flushall();
    raw.disconnect();
  });

  function bus(watches: (question: WatchQuestion) => boolean): RedisBus & { garbage: () => number } {
    const commands = connectCommands(redis.url);
    commands.on("error", nothing);
    const made = new RedisBus({ target: redis.url, keys: new Keys(), commands, onError: nothing });
    let garbage = 0;
    const counts = { connections: 0, subscriptions: 0, sites: 0, feeds: 0 };
    made.start({ command: nothing, counts: () => counts, watches, garbage: () => garbage++, restored: nothing });
    closers.push(() => {
      made.close();
      commands.disconnect();
    });
    return Object.assign(made, { garbage: () => garbage });
  }

  it("is nobody only where all of them say so", async () => {
    const heard: WatchQuestion[] = [];
    const one = bus(() => false);
    const two = bus((question) => {
      heard.push(question);
      return question.topic === "T" && question.filter.canonical === '{"id":5}';
    });
    await listening(redis, 2);
    expect(await one.watched(ask("T", { id: 5 }))).to.equal(true);
    expect(await one.watched(ask("T", { id: 6 }))).to.equal(false);
    expect(await one.watched(ask("U"))).to.equal(false);
    expect(await two.watched(ask("T", { id: 5 }))).to.equal(true);
    expect(heard.slice(0, 3)).to.deep.equal([ask("T", { id: 5 }), ask("T", { id: 6 }), ask("U")]);
  });

  it("is asked once for all who ask the same meanwhile", async () => {
    let asked = 0;
    const one = bus(() => false);
    bus(() => {
      asked++;
      return false;
    });
    await listening(redis, 2);
    const answers = await Promise.all(Array.from({ length: 50 }, () => one.watched(ask("T"))));
    expect([asked, answers.every((answer) => !answer)]).to.deep.equal([1, true]);
    expect(await one.watched(ask("T"))).to.equal(false);
    expect(asked).to.equal(2);
  });

  it("is somebody, in a second, where one does not answer", async () => {
    const one = bus(() => false);
    await listening(redis, 1);
    expect(await one.watched(ask("T"))).to.equal(false);
    const raw = redis.client();
    closers.push(() => raw.disconnect());
    await raw.subscribe("bellwire:0:control-request#/control#");
    const begun = performance.now();
    expect(await one.watched(ask("T"))).to.equal(true);
    expect(performance.now() - begun).to.be.below(1500);
  });

  it("is somebody where a relay has been heard of that hears nothing now", async () => {
    const one = bus(() => false);
    await listening(redis, 1);
    const raw = redis.client();
    closers.push(() => raw.disconnect());
    await raw.zadd("bellwire:0:relays", Date.now() + 20_000, "self", Date.now() - 1, "gone");
    expect(await one.watched(ask("T")), "alone").to.equal(false);
    await raw.zadd("bellwire:0:relays", Date.now() + 20_000, "other");
    expect(await one.watched(ask("T"))).to.equal(true);
  });

  it("is somebody where an answer is none", async () => {
    const one = bus(() => false);
    bus(() => "no" as unknown as boolean);
    await listening(redis, 2);
    expect(await one.watched(ask("T"))).to.equal(true);
  });

  it("is somebody while Redis is away", async () => {
    const away = await TestRedis.start();
    const commands = connectCommands(away.url);
    commands.on("error", nothing);
    const one = new RedisBus({ target: away.url, keys: new Keys(), commands, onError: nothing });
    const counts = { connections: 0, subscriptions: 0, sites: 0, feeds: 0 };
    one.start({ command: nothing, counts: () => counts, watches: () => false, garbage: nothing, restored: nothing });
    await listening(away, 1);
    expect(await one.watched(ask("T"))).to.equal(false);
    away.signal("SIGSTOP");
    const begun = performance.now();
    expect(await one.watched(ask("T")), "silent").to.equal(true);
    expect(performance.now() - begun).to.be.below(1500);
    await away.kill();
    expect(await one.watched(ask("T")), "gone").to.equal(true);
    one.close();
    commands.disconnect();
    await away.stop();
  });

  it("is known to a relay that is alone", async () => {
    const alone = new MemoryBus({} as never, {} as never);
    expect(await alone.watched(ask("T")), "not started").to.equal(true);
    alone.start({
      command: nothing,
      counts: () => ({}) as never,
      watches: ({ topic }) => topic === "T",
      garbage: nothing,
      restored: nothing,
    });
    expect([await alone.watched(ask("T")), await alone.watched(ask("U"))]).to.deep.equal([true, false]);
  });
});

import { expect } from "chai";
import { createEmitter, type Emitter } from "@bellwire/emitter";
import type { Position, Subscribed, TopicPosition } from "@bellwire/protocol";
import { createTestRelay, type TestRelay, type TestRelayOptions } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { socketOf } from "../support/relay-sockets.js";
import { TestRedis } from "../support/redis.js";
import { RawClient } from "../support/socket.js";
import { eventually, eventuallyAsked } from "./stage.js";

const APP_KEY = "k".repeat(40);

async function ready(relay: TestRelay): Promise<void> {
  await eventually(() => relay.relay.log.status.up, "the relay is up");
}

describe("two relays on one Redis", () => {
  let redis: TestRedis;
  let emitter: Emitter;
  const relays: TestRelay[] = [];
  const clients: RawClient[] = [];

  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
    emitter = createEmitter({ redis: redis.url });
  });
  after(async () => {
    await emitter?.close();
    await redis?.stop();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all(relays.splice(0).map((relay) => relay.close()));
  });

  async function relay(options: TestRelayOptions = {}): Promise<TestRelay> {
    const started = await createTestRelay({ ...options, env: { APP_KEY, REDIS_URL: redis.url, ...options.env } });
    relays.push(started);
    await ready(started);
    return started;
  }

  async function client(on: TestRelay, claims: object = {}, site = "5"): Promise<RawClient> {
    const made = new RawClient({ url: on.httpUrl, appKey: APP_KEY, site, claims });
    clients.push(made);
    await made.hello;
    return made;
  }

  it("bring a message published once to a client on each, once", async () => {
    const [one, two] = [await relay(), await relay()];
    const [a, b] = [await client(one), await client(two)];
    const other = await client(two, {}, "6");
    for (const each of [a, b, other]) await each.subscribe({ id: "s", topic: "Contact", filter: { id: 5 } });
    const first = await emitter.site("5").publish("Contact", { id: 5 });
    await emitter.site("5").publish("Contact", { id: 6 });
    const last = await emitter.site("5").publish("Contact", { id: 5 });
    for (const each of [a, b]) {
      await each.until(() => each.messages("Contact").length >= 2);
      expect(each.messages("Contact").map(([offset]) => offset)).to.deep.equal([first?.offset, last?.offset]);
    }
    expect(other.received).to.deep.equal([]);
  });

  it("listen in Redis only to topics that somebody watches on them, and stop a while after the last one left", async () => {
    const one = await relay({ timing: { linger: 0, compare: 500 } });
    const two = await relay({ timing: { linger: 0, compare: 500 } });
    const raw = redis.client();
    const channel = "bellwire:0:{5:Watched}";
    const listening = async (): Promise<unknown> => ((await raw.call("PUBSUB", "SHARDNUMSUB", channel)) as unknown[])[1];
    const [a, b] = [await client(one), await client(two)];
    expect(await listening()).to.equal(0);
    await a.subscribe({ id: "s", topic: "Watched" });
    await emitter.site("5").publish("Watched", { id: 1 });
    await a.until(() => a.messages("Watched").length === 1);
    expect(await listening()).to.equal(1);
    expect(two.relay.stats.heard, "the other relay received nothing").to.equal(0);
    await b.subscribe({ id: "s", topic: "Watched" });
    expect(await listening()).to.equal(2);
    await a.emit("unsubscribe", ["s"]);
    await eventuallyAsked(async () => (await listening()) === 1, "the relay that nobody watches on has stopped listening");
    await emitter.site("5").publish("Watched", { id: 2 });
    await b.until(() => b.messages("Watched").length === 1);
    expect(one.relay.stats.heard).to.equal(1);
    raw.disconnect();
  });

  it("take a client over by its ticket and position, with everything it missed", async () => {
    const [one, two] = [await relay(), await relay()];
    const a = await client(one);
    const { ticket } = await a.hello;
    const [result] = (await a.subscribe({ id: "s", topic: "Moved", filter: { id: 5 } })) as [Subscribed];
    a.close();
    for (const id of [5, 6, 5]) await emitter.site("5").publish("Moved", { id });
    const b = new RawClient({ url: two.httpUrl, appKey: APP_KEY, auth: { v: 1, ticket } });
    clients.push(b);
    await b.hello;
    const { results } = await b.emit<{ results: Subscribed[] }>("subscribe", [
      { id: "s", topic: "Moved", filter: { id: 5 }, ticket: result.ticket, since: { epoch: result.epoch, offset: result.offset } },
    ]);
    expect(results[0]).to.deep.include({ resync: false, offset: 3 });
    expect(results[0]?.messages.map(([offset]) => offset)).to.deep.equal([1, 3]);
  });

  it("tell clients how far their topics moved on without a match", async () => {
    const one = await relay({ timing: { positions: 250 } });
    const a = await client(one);
    const heard: TopicPosition[] = [];
    a.socket.on("positions", (positions: TopicPosition[]) => heard.push(...positions));
    await a.subscribe({ id: "s", topic: "Quiet", filter: { id: 5 } });
    let last: Position | null = null;
    for (let id = 10; id < 15; id++) last = await emitter.site("5").publish("Quiet", { id });
    await a.until(() => heard.some(({ offset }) => offset === last?.offset));
    expect(heard[heard.length - 1]).to.deep.equal({ topic: "Quiet", ...last });
    expect(a.received).to.deep.equal([]);
  });

  it("keep a batch that is pending before the ack of a subscribe that comes in the same turn", async () => {
    const one = await relay();
    const a = await client(one, { grants: [{ topic: "*" }] });
    await a.emit("subscribe", [{ id: "first", topic: "Turn" }]);
    const [connection] = one.relay.gateway?.connections ?? [];
    const { head } = await one.relay.log.read("5", "Turn");
    const order: string[] = [];
    a.socket.on("messages", () => order.push("messages"));
    // The frame arrives; before the relay looks at it, a message comes over the channel in the same turn.
    socketOf(connection).conn.prependListener("data", (data: unknown) => {
      if (!String(data).includes("second")) return;
      one.relay.feeds.message("5:Turn", head.epoch, { offset: 1, time: 1, data: '{"id":1}', except: undefined });
    });
    const { results } = await a.emit<{ results: Subscribed[] }>("subscribe", [{ id: "second", topic: "Turn" }]);
    order.push("ack");
    expect(results[0]).to.deep.include({ offset: 1 });
    expect(order).to.deep.equal(["messages", "ack"]);
  });

  it("keep a batch that is pending before the ack of an unsubscribe that comes in the same turn", async () => {
    const one = await relay();
    const a = await client(one, { grants: [{ topic: "*" }] });
    await a.emit("subscribe", [{ id: "only", topic: "Turn2" }]);
    const [connection] = one.relay.gateway?.connections ?? [];
    const { head } = await one.relay.log.read("5", "Turn2");
    socketOf(connection).conn.prependListener("data", (data: unknown) => {
      if (!String(data).includes("unsubscribe")) return;
      one.relay.feeds.message("5:Turn2", head.epoch, { offset: 1, time: 1, data: '{"id":1}', except: undefined });
    });
    const order: string[] = [];
    a.socket.on("messages", () => order.push("messages"));
    await a.emit("unsubscribe", ["only"]);
    order.push("ack");
    expect(order).to.deep.equal(["messages", "ack"]);
  });

  it("answer several subscriptions of one topic each from its own position, in one frame", async () => {
    const one = await relay();
    const a = await client(one);
    const [{ epoch }] = (await a.subscribe({ id: "s", topic: "Since" })) as [Subscribed];
    for (let id = 1; id <= 3; id++) await emitter.site("5").publish("Since", { id });
    await a.until(() => a.messages("Since").length === 3);
    const results = (await a.subscribe(
      { id: "one", topic: "Since", since: { epoch, offset: 0 } },
      { id: "two", topic: "Since", since: { epoch, offset: 2 } },
      { id: "three", topic: "Since", filter: { id: 2 }, since: { epoch, offset: 0 } },
    )) as Subscribed[];
    expect(results.map(({ messages }) => messages.map(([offset]) => offset))).to.deep.equal([[1, 2, 3], [3], [2]]);
    await emitter.site("5").publish("Since", { id: 4 });
    await a.until(() => a.messages("Since").length > 3);
    expect(
      a.messages("Since").map(([offset]) => offset),
      "one live packet, although four subscriptions want it",
    ).to.deep.equal([1, 2, 3, 4]);
  });

  it("warn an emitter once that publishes where no relay listens", async () => {
    const warnings: string[] = [];
    const raw = redis.client();
    await raw.del("bellwire:0:relays");
    const lonely = createEmitter({ redis: redis.url, onNoRelay: (message: string) => warnings.push(message) });
    await lonely.site("5").publish("T", {});
    await lonely.site("5").publish("T", {});
    await eventually(() => warnings.length > 0, "the emitter warns");
    expect(warnings).to.have.length(1);
    await lonely.close();
    raw.disconnect();
  });
});

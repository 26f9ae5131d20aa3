import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import { createEmitter, type Emitter } from "@bellwire/emitter";
import type { SubscribeResult, Subscribed, WireError } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { refusal, type RawClient } from "../support/socket.js";
import { connectToken, subscribeToken } from "../support/tokens.js";
import { API_KEY, APP_KEY } from "./controlled.js";
import { codeOf, eventually, publish, Stage, subscribed } from "./stage.js";

const KEY = "bellwire:0:revocations";

/** The present moment as an `iat` with fractions. */
function moment(): number {
  return Date.now() / 1000;
}

describe("revoke", () => {
  const stage = Stage.forEachTest();
  let redis: TestRedis;
  let emitter: Emitter;

  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
  });
  after(() => redis?.stop());
  beforeEach(async () => {
    emitter = createEmitter({ redis: redis.url, onNoRelay: () => undefined });
    stage.closeLater(() => emitter.close());
    const raw = redis.client();
    await raw.flushall();
    raw.disconnect();
  });

  async function start(reread = 60_000): Promise<TestRelay> {
    const relay = await stage.relay({ env: { APP_KEY, REALTIME_API_KEY: API_KEY, REDIS_URL: redis.url }, timing: { reread } });
    await eventually(() => relay.relay.log.status.up, "the relay is up");
    return relay;
  }

  const connect = (relay: TestRelay, claims: object = {}): Promise<RawClient> =>
    stage.connect(relay, { auth: { v: 1, token: connectToken(APP_KEY, { iat: moment(), ...claims }), client: "page" } });
  const refusedConnect = async (relay: TestRelay, auth: object): Promise<string> =>
    (await refusal(stage.client(relay, { auth: { v: 1, ...auth } }))).code;
  const byes = (client: RawClient): WireError[] => {
    const heard: WireError[] = [];
    client.socket.on("bye", (error: WireError) => heard.push(error));
    return heard;
  };
  const dropped = (client: RawClient): { id: string; topic: string; filter: object; error: WireError }[] => {
    const heard: ReturnType<typeof dropped> = [];
    client.socket.on("unsubscribed", (what: (typeof heard)[number]) => heard.push(what));
    return heard;
  };
  const subscribe = async (client: RawClient, item: object): Promise<SubscribeResult> =>
    (await client.emit<{ results: SubscribeResult[] }>("subscribe", [item])).results[0] as SubscribeResult;

  for (const [name, body] of Object.entries({ user: { user: "ann" }, session: { session: "s1" } })) {
    it(`of a ${name} closes connections on every relay, refuses what was issued before and admits what comes after`, async () => {
      const relays = [await start(), await start()];
      const old = connectToken(APP_KEY, { iat: moment(), exp: moment() + 600 });
      const clients = [await connect(relays[0] as TestRelay), await connect(relays[1] as TestRelay)];
      const bob = await connect(relays[1] as TestRelay, { sub: "bob", sid: "s2" });
      const heard = clients.map(byes);
      const { ticket } = await (clients[0] as RawClient).hello;
      const site = emitter.site("5");
      await (name === "user" ? site.user("ann") : site.session("s1")).revoke();
      await eventually(() => clients.every(({ socket }) => !socket.connected), "both are gone");
      expect(heard.map(([error]) => [error?.code, error?.retry])).to.deep.equal([
        ["revoked", "refresh"],
        ["revoked", "refresh"],
      ]);
      expect(bob.socket.connected).to.equal(true);
      for (const relay of relays) {
        expect(await refusedConnect(relay, { token: old })).to.equal("revoked");
        expect(await refusedConnect(relay, { ticket })).to.equal("revoked");
        expect(await refusedConnect(relay, { ticket, token: old })).to.equal("revoked");
        const fresh = await stage.connect(relay, { auth: { v: 1, ticket, token: connectToken(APP_KEY, { iat: moment() }) } });
        expect(fresh.socket.connected, JSON.stringify(body)).to.equal(true);
      }
      await pause(1100 - (Date.now() % 1000));
      await stage.connect(relays[0] as TestRelay, { auth: { v: 1, token: connectToken(APP_KEY) } }); // whole seconds do as well
    });
  }

  it("refuses subscribe tokens and tickets issued before, on a connection that is younger", async () => {
    const relay = await start();
    const before = await connect(relay);
    const token = subscribeToken(APP_KEY, { iat: moment(), grants: [{ topic: "T" }] });
    const { ticket } = subscribed(await subscribe(before, { id: "1", topic: "T", token })) as Subscribed;
    await emitter.site("5").user("ann").revoke();
    await eventually(() => !before.socket.connected, "the older one is gone");
    const client = await connect(relay);
    expect(codeOf(await subscribe(client, { id: "1", topic: "T", token }))).to.equal("revoked");
    expect(codeOf(await subscribe(client, { id: "1", topic: "T", ticket }))).to.equal("revoked");
    expect(codeOf(await subscribe(client, { id: "1", topic: "T", ticket, token }))).to.equal("revoked");
    const fresh = subscribeToken(APP_KEY, { iat: moment(), grants: [{ topic: "T" }] });
    expect(codeOf(await subscribe(client, { id: "1", topic: "T", ticket, token: fresh }))).to.equal("accepted");
  });

  it("of a topic and filter ends what could hear it, and leaves the connection", async () => {
    const relay = await start();
    await start();
    const client = await connect(relay, { grants: [{ topic: "G_*" }] });
    const ended = dropped(client);
    const iat = moment();
    const token = subscribeToken(APP_KEY, { iat, grants: [{ topic: "*" }] });
    const items = [
      { id: "five", topic: "T", filter: { id: 5 } },
      { id: "six", topic: "T", filter: { id: 6 } },
      { id: "both", topic: "T", filter: { id: [5, 6] } },
      { id: "all", topic: "T" },
      { id: "other", topic: "U" },
      { id: "grant", topic: "G_1", filter: { id: 5 } },
    ];
    for (const item of items) expect(codeOf(await subscribe(client, { ...item, token }))).to.equal("accepted");
    await emitter.site("5").revoke({ topic: "T", filter: { id: 5 } });
    await client.until(() => ended.length === 3);
    expect(ended.map(({ id }) => id)).to.have.members(["five", "both", "all"]);
    expect(ended.find(({ id }) => id === "five")).to.deep.include({ topic: "T", filter: { id: 5 } });
    expect(ended.map(({ error }) => [error.code, error.retry])).to.deep.equal(Array.from({ length: 3 }, () => ["revoked", "refresh"]));
    await emitter.site("5").user("ann").revoke({ topic: "G_*" });
    await client.until(() => ended.length === 4);
    expect(ended[3]?.id).to.equal("grant");
    expect(codeOf(await subscribe(client, { id: "again", topic: "T", filter: { id: 5 }, token }))).to.equal("revoked");
    expect(codeOf(await subscribe(client, { id: "again", topic: "G_1" })), "by the connection's own grants").to.equal("revoked");
    const fresh = subscribeToken(APP_KEY, { iat: moment(), grants: [{ topic: "*" }] });
    expect(codeOf(await subscribe(client, { id: "again", topic: "G_1", token: fresh }))).to.equal("accepted");
    expect(codeOf(await subscribe(client, { id: "more", topic: "T", filter: { id: 5 }, token: fresh }))).to.equal("accepted");
    await publish(relay, "T", { id: 5 });
    await publish(relay, "T", { id: 6 });
    await client.until(() => client.messages("T").length === 2);
    expect(relay.relay.subscriptions.count).to.equal(4);
  });

  it("of a jti ends one token and what it opened, and of a page load that page", async () => {
    const relay = await start();
    const token = connectToken(APP_KEY, { iat: moment(), jti: "one", exp: moment() + 600 });
    const [one, two] = [await stage.connect(relay, { auth: { v: 1, token } }), await connect(relay, { jti: "two" })];
    const { ticket } = await one.hello;
    const ended = dropped(two);
    const subscribing = subscribeToken(APP_KEY, { iat: moment(), jti: "one", topic: "T" });
    await subscribe(two, { id: "1", topic: "T", token: subscribing });
    await emitter.site("5").user("ann").revoke({ jti: "one" });
    await eventually(() => !one.socket.connected, "the one is gone");
    await two.until(() => ended.length === 1);
    expect(await refusedConnect(relay, { token })).to.equal("revoked");
    expect(await refusedConnect(relay, { ticket })).to.equal("revoked");
    expect(two.socket.connected).to.equal(true);
    await emitter.site("5").client("page").revoke();
    await eventually(() => !two.socket.connected, "the page is gone");
  });

  it("ends a subscription that is being made meanwhile", async () => {
    const relay = await start();
    const [client, witness] = [await connect(relay), await connect(relay)];
    const ended = dropped(witness);
    const token = subscribeToken(APP_KEY, { iat: moment(), topic: "T" });
    expect(codeOf(await subscribe(witness, { id: "1", topic: "T", token }))).to.equal("accepted");
    const { feeds } = relay.relay;
    const claim = feeds.claim.bind(feeds);
    feeds.claim = async (site, topic) => {
      const feed = await claim(site, topic);
      await emitter.site("5").user("ann").revoke({ topic: "T" });
      await witness.until(() => ended.length === 1);
      return feed;
    };
    expect(codeOf(await subscribe(client, { id: "1", topic: "T", token }))).to.equal("revoked");
    expect(relay.relay.subscriptions.count).to.equal(0);
  });

  it("survives a restart of the relay", async () => {
    const relay = await start();
    const token = connectToken(APP_KEY, { iat: moment(), exp: moment() + 600 });
    const client = await connect(relay);
    const { ticket } = await client.hello;
    await emitter.site("5").user("ann").revoke();
    await eventually(() => !client.socket.connected, "the client is gone");
    await relay.close();
    // Nothing was waited for: a relay that has just started reads first.
    const next = await stage.relay({ env: { APP_KEY, REALTIME_API_KEY: API_KEY, REDIS_URL: redis.url } });
    expect(await refusedConnect(next, { token })).to.equal("revoked");
    expect(await refusedConnect(next, { ticket })).to.equal("revoked");
  });

  it("survives a message that was missed", async () => {
    const relay = await start(200);
    const client = await connect(relay);
    const ended = dropped(client);
    const token = subscribeToken(APP_KEY, { iat: moment(), topic: "T" });
    await subscribe(client, { id: "1", topic: "T", token });
    const raw = redis.client();
    await raw.zadd(KEY, Date.now(), JSON.stringify({ site: "5", topic: "T" }));
    await client.until(() => ended.length === 1, 2000);
    await raw.zadd(KEY, Date.now(), JSON.stringify({ site: "5", user: "ann" }));
    await eventually(() => !client.socket.connected, "the client is gone", 2000);
    raw.disconnect();
  });

  it("survives a Redis that loses its data, as long as a relay knows", async () => {
    const relay = await start(100);
    const client = await connect(relay);
    const { ticket } = await client.hello;
    await emitter.site("5").user("ann").revoke();
    await eventually(() => !client.socket.connected, "the client is gone");
    const raw = redis.client();
    await raw.flushall();
    for (const end = Date.now() + 5000; (await raw.zcard(KEY)) === 0; await pause(10)) expect(Date.now()).to.be.below(end);
    raw.disconnect();
    expect(await refusedConnect(await start(), { ticket })).to.equal("revoked");
  });

  it("is known before anything is delivered after an outage", async () => {
    const relay = await start();
    const client = await connect(relay);
    const bob = await connect(relay, { sub: "bob" });
    const ended = dropped(client);
    for (const [each, sub] of [
      [client, "ann"],
      [bob, "bob"],
    ] as const) {
      const token = subscribeToken(APP_KEY, { iat: moment(), sub, topic: "T" });
      expect(codeOf(await subscribe(each, { id: "1", topic: "T", token }))).to.equal("accepted");
    }
    // The relay's connections are cut and refused for a while; those of the test are there before.
    const raw = redis.client({ autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0, enableOfflineQueue: false });
    if (raw.status !== "ready") await once(raw, "ready");
    const late = createEmitter({ redis: raw });
    await late.site("5").publish("Other", {});
    await raw.config("SET", "maxclients", "1");
    await raw.call("CLIENT", "KILL", "TYPE", "pubsub");
    await raw.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await eventually(() => !relay.relay.log.status.up, "the relay notices");
    await late.site("5").user("ann").revoke({ topic: "T" });
    await late.site("5").publish("T", { id: 5 });
    // Meanwhile others are admitted, and come to nothing on return where they were revoked.
    const token = subscribeToken(APP_KEY, { iat: moment() - 5, topic: "T" });
    const degraded = await subscribe(client, { id: "2", topic: "T", token });
    expect(degraded).to.have.property("degraded", true);
    await raw.config("SET", "maxclients", "10000");
    await client.until(() => ended.length === 2);
    await bob.until(() => bob.messages("T").length === 1);
    expect(client.messages("T"), "nothing of it was delivered").to.deep.equal([]);
    expect(client.resyncs).to.deep.equal([]);
    expect(client.socket.connected).to.equal(true);
    raw.disconnect();
  });

  it("admits at once while Redis can't be read", async () => {
    const away = await TestRedis.start();
    const env = { APP_KEY, REALTIME_API_KEY: API_KEY, REDIS_URL: away.url };
    const relay = await stage.relay({ env });
    await eventually(() => relay.relay.log.status.up, "the relay is up");
    await connect(relay);
    await pause(3000);
    await away.kill();
    const begun = performance.now();
    await connect(relay, { sub: "bob" });
    expect(performance.now() - begun).to.be.below(1000);
    await away.stop();
  });

  it("works in memory", async () => {
    const relay = await stage.relay({ env: { APP_KEY, REALTIME_API_KEY: API_KEY } });
    const token = connectToken(APP_KEY, { iat: moment(), exp: moment() + 600 });
    const client = await connect(relay);
    const { ticket } = await client.hello;
    await using http = createEmitter({ url: relay.httpUrl, apiKey: API_KEY });
    await http.site("5").user("ann").revoke();
    await eventually(() => !client.socket.connected, "the client is gone");
    expect(await refusedConnect(relay, { token })).to.equal("revoked");
    expect(await refusedConnect(relay, { ticket })).to.equal("revoked");
    await connect(relay);
  });
});

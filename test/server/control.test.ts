import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import { createEmitter, type Emitter } from "@bellwire/emitter";
import type { ServerSubscribed, WireError } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { API_KEY, APP_KEY, command, listen, listening, refusal } from "./controlled.js";
import { eventually, publish, request, Stage } from "./stage.js";

interface Way {
  readonly name: string;
  readonly onRedis: boolean;
  /** Makes an emitter that reaches relays through this one, or past it. */
  readonly open: (relay: TestRelay, redis: TestRedis | undefined) => Emitter;
}

const ways: Way[] = [
  {
    name: "from an emitter on Redis",
    onRedis: true,
    open: (_relay, redis) => createEmitter({ redis: (redis as TestRedis).url }),
  },
  { name: "over another relay's HTTP API", onRedis: true, open: ({ httpUrl, apiKey }) => createEmitter({ url: httpUrl, apiKey }) },
  { name: "to a relay in memory", onRedis: false, open: ({ httpUrl, apiKey }) => createEmitter({ url: httpUrl, apiKey }) },
];

for (const way of ways) {
  describe(`control, ${way.name}`, () => {
    const stage = Stage.forEachTest();
    let redis: TestRedis | undefined;
    let relay: TestRelay;
    let emitter: Emitter;

    before(async function () {
      if (!way.onRedis) return;
      requires("redis-server", this);
      redis = await TestRedis.start();
    });
    after(() => redis?.stop());
    beforeEach(async () => {
      await redis?.forget();
      const env = { APP_KEY, REALTIME_API_KEY: API_KEY, ...(redis === undefined ? {} : { REDIS_URL: redis.url }) };
      relay = await stage.relay({ env });
      const other = redis === undefined ? relay : await stage.relay({ env });
      emitter = way.open(other, redis);
      stage.closeLater(() => emitter.close());
      await listening(redis, redis === undefined ? 0 : 2);
    });

    it("ends the connections of one user, for good by default", async () => {
      const [ann, bob, elsewhere] = [
        await stage.connect(relay),
        await stage.connect(relay, { claims: { sub: "bob" } }),
        await stage.connect(relay, { site: "6" }),
      ];
      const heard = listen(ann);
      await emitter
        .site("5")
        .user("ann")
        .disconnect({ reason: { code: "fired", message: "Good bye" } });
      await eventually(() => heard("disconnect").length > 0, "ann is gone");
      expect(heard<WireError>("bye")[0]).to.deep.include({
        code: "forbidden",
        retry: "never",
        reason: { code: "fired", message: "Good bye" },
      });
      expect(heard("disconnect")).to.deep.equal(["io server disconnect"]);
      expect([bob.socket.connected, elsewhere.socket.connected]).to.deep.equal([true, true]);
    });

    it("ends the connections of one session, or of one page load, with a code that lets them come back", async () => {
      const one = await stage.connect(relay);
      const token = (one.socket.auth as { token: string }).token;
      const two = await stage.connect(relay, { auth: { v: 1, token, client: "page" } });
      const heard = [listen(one), listen(two)];
      await emitter.site("5").client("page").disconnect({ code: "token-expired" });
      await eventually(() => heard[1]?.("disconnect").length === 1, "the page is gone");
      expect(heard[1]?.("disconnect")).to.deep.equal(["transport close"]);
      expect(heard[1]?.<WireError>("bye")[0]).to.deep.include({ code: "token-expired", retry: "refresh" });
      expect(one.socket.connected).to.equal(true);
      await emitter.site("5").session("s1").disconnect({ code: "unavailable" });
      await eventually(() => heard[0]?.("disconnect").length === 1, "the session is gone");
    });

    it("subscribes connections, which then hear everything once, from the last message on", async () => {
      const client = await stage.connect(relay);
      const heard = listen(client);
      const first = await publish(relay, "Bell", { id: 5 });
      await publish(relay, "Bell", { id: 6 });
      await emitter.site("5").user("ann").subscribe("Bell", { id: 5 });
      await emitter
        .site("5")
        .session("s1")
        .subscribe("Bell", { id: [5] });
      await emitter.site("5").user("ann").subscribe("Bell", { id: 7 });
      await client.until(() => heard("subscribed").length === 2);
      const [five, seven] = heard<ServerSubscribed>("subscribed");
      expect(five).to.deep.include({ id: "$1", topic: "Bell", filter: { id: 5 }, epoch: first.epoch, offset: 2, resync: false });
      expect(five?.messages.map(([offset]) => offset)).to.deep.equal([1]);
      expect(Object.keys(five ?? {})).to.have.members(["id", "topic", "filter", "epoch", "offset", "messages", "resync"]);
      expect(seven).to.deep.include({ id: "$2", filter: { id: 7 }, messages: [] });
      await publish(relay, "Bell", { id: 7 });
      await publish(relay, "Bell", { id: 5 });
      await client.until(() => client.messages("Bell").length === 2);
      expect(client.messages("Bell").map(([offset]) => offset)).to.deep.equal([3, 4]);
      expect(heard("subscribed"), "the equal one was nothing to do").to.have.length(2);
      expect(relay.relay.subscriptions.count).to.equal(2);
    });

    it("subscribes a client that comes back from where it was", async () => {
      const { epoch } = await publish(relay, "Back", { id: 5 });
      for (const id of [5, 6, 5]) await publish(relay, "Back", { id });
      const lost = await stage.connect(relay);
      const token = (lost.socket.auth as { token: string }).token;
      const since = [{ topic: 1 }, null, { topic: "Back", filter: { id: [5] }, epoch, offset: 1 }, { topic: "U", epoch, offset: "x" }];
      const client = await stage.connect(relay, { auth: { v: 1, token, client: "back", since } });
      const heard = listen(client);
      await emitter.site("5").client("back").subscribe("Back", { id: 5 });
      await client.until(() => heard("subscribed").length === 1);
      const [subscribed] = heard<ServerSubscribed>("subscribed");
      expect(subscribed?.messages.map(([offset]) => offset)).to.deep.equal([2, 4]);
      expect(subscribed).to.deep.include({ offset: 4, resync: false });
    });

    it("ends subscriptions within a topic and filter, whoever made them", async () => {
      const client = await stage.connect(relay);
      const heard = listen(client);
      await client.subscribe(
        { id: "five", topic: "T", filter: { id: 5 } },
        { id: "narrow", topic: "T", filter: { id: 5, type: "x" } },
        { id: "wide", topic: "T", filter: { id: [5, 6] } },
        { id: "all", topic: "T" },
        { id: "other", topic: "U", filter: { id: 5 } },
      );
      const site = emitter.site("5");
      await site.user("ann").subscribe("T", { id: 5 });
      await client.until(() => heard("subscribed").length === 1);
      const ended = (): string[] => heard<{ id: string }>("unsubscribed").map(({ id }) => id);
      await site.user("ann").unsubscribe("T", { id: 5 });
      await client.until(() => ended().length === 3);
      expect(ended()).to.have.members(["five", "narrow", "$1"]);
      expect(heard("unsubscribed")[0]).to.deep.include({ id: "five", topic: "T", filter: { id: 5 } });
      expect(heard<{ error: WireError }>("unsubscribed")[0]?.error).to.deep.include({ code: "not-found", retry: "never" });
      await site.unsubscribe("T*");
      await client.until(() => ended().length === 5);
      expect(ended().slice(3)).to.have.members(["wide", "all"]);
      await site.user("ann").unsubscribe();
      await client.until(() => ended().length === 6);
      await site.user("ann").subscribe("T", { id: 5 });
      await client.until(() => heard("subscribed").length === 2);
      expect(heard<ServerSubscribed>("subscribed")[1]?.id).to.equal("$2");
      expect(relay.relay.subscriptions.count).to.equal(1);
    });

    it("keeps the order of commands about one target", async () => {
      const client = await stage.connect(relay);
      const target = emitter.site("5").user("ann");
      const topics = Array.from({ length: 40 }, (_, i) => `T${i}`);
      await Promise.all(topics.flatMap((topic, i) => [target.subscribe(topic), ...(i % 2 === 0 ? [target.unsubscribe(topic)] : [])]));
      await target.subscribe("last");
      await client.until(() => relay.relay.subscriptions.count === 21);
      await pause(50);
      expect(relay.relay.subscriptions.count).to.equal(21);
    });

    it("leaves what a connection may have at its bound", async () => {
      const small = await stage.relay({
        env: { APP_KEY, REALTIME_API_KEY: API_KEY, ...(redis === undefined ? {} : { REDIS_URL: redis.url }) },
        file: { limits: { subscriptionsPerConnection: 2 } },
      });
      const direct = redis === undefined ? createEmitter({ url: small.httpUrl, apiKey: API_KEY }) : emitter;
      stage.closeLater(() => direct.close());
      await listening(redis, redis === undefined ? 0 : 3);
      const client = await stage.connect(small);
      const heard = listen(client);
      for (const topic of ["A", "B", "C"]) await direct.site("5").user("ann").subscribe(topic);
      await eventually(() => small.relay.stats.refused.get("limit") === 1, "the third is refused");
      await client.until(() => heard("subscribed").length === 2);
    });

    it("answers bad commands in one shape, to emitters and over HTTP", async () => {
      for (const kind of ["subscribe", "unsubscribe", "disconnect", "revoke"]) {
        const { status, body } = await command(relay, kind, {});
        expect([status, body.error?.code, body.error?.retry], kind).to.deep.equal([400, "bad-request", "never"]);
        expect((await command(relay, kind, { user: "ann", topic: "T" }, "5", "x".repeat(20))).status).to.equal(401);
      }
      expect((await command(relay, "subscribe", { user: "ann", topic: "T" }, "a b")).status).to.equal(400);
      expect((await command(relay, "subscribe", { user: "ann", topic: "$x" })).body.error?.code).to.equal("forbidden");
      const ok = await command(relay, "subscribe", { user: "nobody", topic: "T" });
      expect([ok.status, ok.body]).to.deep.equal([200, {}]);
      const site = emitter.site("5");
      expect((await refusal(site.user("").subscribe("T"))).code).to.equal("bad-request");
      expect((await refusal(site.user(undefined as never).revoke({ topic: "T" }))).code, "nobody is not everybody").to.equal("bad-request");
      expect((await refusal(site.user("ann").subscribe("$user"))).code).to.equal("forbidden");
      expect((await refusal(site.revoke({} as never))).code).to.equal("bad-request");
      expect((await refusal(emitter.site("a b").user("ann").disconnect())).code).to.equal("bad-request");
    });

    it("counts what is open on all relays", async () => {
      const client = await stage.connect(relay);
      await client.subscribe({ id: "1", topic: "T" }, { id: "2", topic: "U" });
      await stage.connect(relay, { site: "6" });
      const expected = { relays: redis === undefined ? 1 : 2, missing: 0, connections: 2, subscriptions: 2, sites: 2, feeds: 6 };
      await eventually(() => relay.relay.feeds.size === 6, "the personal topics are open too");
      expect(await relay.relay.counts()).to.deep.equal(expected);
      const { status, body } = await request(`${relay.httpUrl}/v1/counts`, { headers: { authorization: `Bearer ${API_KEY}` } });
      expect([status, body]).to.deep.equal([200, expected]);
    });
  });
}

describe("an emitter that is switched off, or faked", () => {
  it("resolves null, or records", async () => {
    const off = createEmitter({ enabled: false });
    expect(await off.site("5").user("3").disconnect()).to.equal(null);
    expect(await off.site("5").revoke({ topic: "T" })).to.equal(null);
    const fake = off.fake();
    await off.site("5").user("3").subscribe("T", { id: 5 });
    expect(fake.commands).to.deep.equal([{ kind: "subscribe", site: "5", user: "3", topic: "T", filter: { id: 5 } }]);
    expect((await refusal(off.site("5").user("3").subscribe("$T"))).code).to.equal("forbidden");
    fake.clear();
    expect(fake.commands).to.deep.equal([]);
  });
});

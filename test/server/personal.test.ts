import { createHash } from "node:crypto";
import { expect } from "chai";
import { createEmitter, personalTopic, type Emitter } from "@bellwire/emitter";
import type { ServerSubscribed } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import type { RawClient, RawOptions } from "../support/socket.js";
import { API_KEY, APP_KEY, command, listen, listening, refusal } from "./controlled.js";
import { codeOf, post, publish, Stage, subscribed } from "./stage.js";

/** A client that has been told of its personal topics. */
async function joined(
  stage: Stage,
  relay: TestRelay,
  options: Partial<RawOptions> = {},
  topics = 2,
): Promise<RawClient & { joined: ServerSubscribed[] }> {
  const client = stage.client(relay, options);
  const own: ServerSubscribed[] = [];
  client.socket.on("subscribed", (one: ServerSubscribed) => {
    if (one.topic.startsWith("$")) own.push(one);
  });
  await client.hello;
  await client.until(() => own.length === topics);
  return Object.assign(client, { joined: own });
}

function ids(client: RawClient, topic: string): unknown[] {
  return client.messages(topic).map(([, , data]) => data.id);
}

describe("a personal topic", () => {
  it("is named by a hash, so that any id will do", () => {
    const hash = createHash("sha256").update("ann@example.com").digest("base64url");
    expect(personalTopic("user", "ann@example.com")).to.equal(`$user:${hash}`);
    expect(personalTopic("session", "é{}\n ".repeat(10))).to.match(/^\$session:[A-Za-z0-9_-]{43}$/);
  });
});

for (const onRedis of [true, false]) {
  describe(`personal topics, ${onRedis ? "on Redis" : "in memory"}`, () => {
    const stage = Stage.forEachTest();
    let redis: TestRedis | undefined;
    let relay: TestRelay;
    let other: TestRelay;
    let emitter: Emitter;

    before(async function () {
      if (!onRedis) return;
      requires("redis-server", this);
      redis = await TestRedis.start();
    });
    after(() => redis?.stop());
    beforeEach(async () => {
      await redis?.forget();
      const env = { APP_KEY, REALTIME_API_KEY: API_KEY, ...(redis === undefined ? {} : { REDIS_URL: redis.url }) };
      relay = await stage.relay({ env });
      other = redis === undefined ? relay : await stage.relay({ env });
      emitter = createEmitter(redis === undefined ? { url: relay.httpUrl, apiKey: API_KEY } : { redis: redis.url });
      stage.closeLater(() => emitter.close());
      await listening(redis, redis === undefined ? 0 : 2);
    });

    it("bring a user's messages to all of its connections, wherever they are, and to nobody else", async () => {
      const [one, two, otherSession] = [
        await joined(stage, relay),
        await joined(stage, other),
        await joined(stage, other, { claims: { sid: "s2" } }),
      ];
      const bob = await joined(stage, relay, { claims: { sub: "bob", sid: "b" } });
      const elsewhere = await joined(stage, relay, { site: "6" });
      const position = await emitter.site("5").user("ann").publish({ id: 1 });
      expect(position).to.have.all.keys("epoch", "offset");
      await emitter.site("5").session("s1").publish({ id: 2 });
      await emitter.site("5").user("bob").publish({ id: 3 });
      await emitter.site("6").user("ann").publish({ id: 4 });
      for (const client of [one, two]) {
        await client.until(() => client.received.length === 2);
        expect([ids(client, "$user"), ids(client, "$session")]).to.deep.equal([[1], [2]]);
      }
      await otherSession.until(() => otherSession.received.length === 1);
      await bob.until(() => bob.received.length === 1);
      await elsewhere.until(() => elsewhere.received.length === 1);
      expect([ids(otherSession, "$user"), ids(bob, "$user"), ids(elsewhere, "$user")]).to.deep.equal([[1], [3], [4]]);
      expect(one.joined.map(({ topic, filter }) => [topic, filter])).to.have.deep.members([
        ["$user", {}],
        ["$session", {}],
      ]);
    });

    it("reach the anonymous by their session", async () => {
      const nobody = await joined(stage, relay, { claims: { sub: "" } }, 1);
      expect(nobody.joined[0]?.topic).to.equal("$session");
      await emitter.site("5").session("s1").publish({ id: 1 });
      await nobody.until(() => nobody.messages("$session").length === 1);
    });

    it("are not missed while their owner is away", async () => {
      const lost = await joined(stage, relay);
      const mine = lost.joined.find(({ topic }) => topic === "$user") as ServerSubscribed;
      lost.close();
      await emitter.site("5").user("ann").publish({ id: 1 });
      await emitter.site("5").user("ann").publish({ id: 2 });
      const { token } = lost.socket.auth as { token: string };
      const since = [{ topic: "$user", epoch: mine.epoch, offset: mine.offset }];
      const back = await joined(stage, other, { auth: { v: 1, token, client: "back", since } });
      const again = back.joined.find(({ topic }) => topic === "$user") as ServerSubscribed;
      expect(again.messages.map(([, , data]) => data.id)).to.deep.equal([1, 2]);
      expect(again).to.deep.include({ epoch: mine.epoch, offset: mine.offset + 2, resync: false });
    });

    it("are published to over HTTP, with results that name no hash", async () => {
      const client = await joined(stage, other);
      const { status, body } = await post(relay, "5", { user: "ann", data: { id: 1 }, idempotencyKey: "k" });
      expect([status, body.results?.[0]?.topic, body.results?.[0]?.offset]).to.deep.equal([200, "$user", 1]);
      expect((await post(relay, "5", { user: "ann", data: { id: 1 }, idempotencyKey: "k" })).body.results).to.deep.equal(body.results);
      const messages = [
        { session: "s1", data: { id: 2 } },
        { user: "" },
        { session: 5 },
        { user: "ann", session: "s1" },
        { user: "x".repeat(129) },
      ];
      const list = await post(relay, "5", { messages });
      expect(list.body.results?.map(({ topic, offset, error }) => [topic, error?.code ?? offset])).to.deep.equal([
        ["$session", 1],
        ["$user", "bad-request"],
        ["", "bad-request"],
        ["$user", "bad-request"],
        ["$user", "bad-request"],
      ]);
      await client.until(() => client.received.length === 2);
      for (const wrong of [{ user: "ann", topic: "T" }, { session: "s1", topics: ["T"] }, { user: "\ud800" }, { user: 5 }, {}]) {
        const answer = await post(relay, "5", wrong);
        expect([answer.status, answer.body.error?.code], JSON.stringify(wrong)).to.deep.equal([400, "bad-request"]);
      }
    });

    it("can't be named: not to subscribe, publish, read or control", async () => {
      const client = await joined(stage, relay);
      for (const topic of ["$user", personalTopic("user", "ann"), personalTopic("user", "bob")]) {
        expect(codeOf((await client.subscribe({ id: "x", topic }))[0])).to.equal("forbidden");
        expect((await refusal(emitter.site("5").publish(topic))).code).to.equal("forbidden");
        expect((await post(relay, "5", { topic })).status).to.equal(403);
        expect((await command(relay, "subscribe", { user: "ann", topic })).status).to.equal(403);
        expect((await command(relay, "unsubscribe", { user: "ann", topic })).status).to.equal(403);
      }
      await emitter.site("5").user("ann").unsubscribe();
      await emitter.site("5").user("ann").subscribe("Last");
      const heard = listen(client);
      await client.until(() => heard<ServerSubscribed>("subscribed").some(({ topic }) => topic === "Last"));
      await emitter.site("5").user("ann").publish({ id: 1 });
      await client.until(() => ids(client, "$user").length === 1);
      expect(heard("unsubscribed")).to.deep.equal([]);
    });

    it("leave out the sender's page, its session or itself, also when it comes back to another relay", async () => {
      const sender = await joined(stage, relay, { claims: { sid: "s1" } });
      const tab = await joined(stage, other, { claims: { sid: "s2" } });
      const { client: page } = await sender.hello;
      const [start] = sender.joined.filter(({ topic }) => topic === "$user");
      const { offset } = (await sender.subscribe({ id: "T", topic: "T" }))[0] as { offset: number };
      const user = emitter.site("5").user("ann");
      await user.publish({ id: 1 }, { except: { client: page } });
      await user.publish({ id: 2 }, { except: { session: "s1" } });
      await user.publish({ id: 3 }, { except: { user: "ann" } });
      await user.publish({ id: 4 });
      const { epoch } = await publish(relay, "T", { id: 5 }, { except: { client: page } });
      await publish(relay, "T", { id: 6 });
      await tab.until(() => ids(tab, "$user").length === 3);
      await sender.until(() => ids(sender, "$user").length === 1 && ids(sender, "T").length === 1);
      expect([ids(tab, "$user"), ids(sender, "$user"), ids(sender, "T")]).to.deep.equal([[1, 2, 4], [4], [6]]);
      sender.close();
      const { token } = sender.socket.auth as { token: string };
      const since = [{ topic: "$user", epoch: start?.epoch, offset: start?.offset }];
      const back = await joined(stage, other, { auth: { v: 1, token, client: page, since }, claims: { sid: "s1" } });
      const again = back.joined.find(({ topic }) => topic === "$user") as ServerSubscribed;
      expect(again.messages.map(([, , data]) => data.id)).to.deep.equal([4]);
      expect(again.offset).to.equal((start?.offset ?? 0) + 4);
      const [result] = await back.subscribe({ id: "T", topic: "T", since: { epoch, offset } });
      expect(subscribed(result).messages.map(([, , data]) => data.id)).to.deep.equal([6]);
    });
  });
}

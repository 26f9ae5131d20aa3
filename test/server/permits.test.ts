import { expect } from "chai";
import { createEmitter, type Emitter, type TargetControl } from "@bellwire/emitter";
import type { ServerSubscribed, SubscribeResult, WireError } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import type { RawClient } from "../support/socket.js";
import { connectToken, subscribeToken } from "../support/tokens.js";
import { API_KEY, APP_KEY, listening } from "./controlled.js";
import { HookBackend } from "./hooks-backend.js";
import { codeOf, publish, Stage } from "./stage.js";

const moment = (): number => Date.now() / 1000;
const filter = {};
const LISTED = [
  { topic: "Gone", filter },
  { topic: "Kept", filter },
];

/** What a client has from the server, the personal topics left out. */
function tracked(client: RawClient): { readonly topics: Set<string>; readonly ended: { topic: string; error: WireError }[] } {
  const topics = new Set<string>();
  const ended: { topic: string; error: WireError }[] = [];
  client.socket.on("subscribed", ({ topic }: ServerSubscribed) => topic.startsWith("$") || topics.add(topic));
  client.socket.on("unsubscribed", (one: { topic: string; error: WireError }) => {
    topics.delete(one.topic);
    ended.push(one);
  });
  return { topics, ended };
}

for (const onRedis of [true, false]) {
  describe(`permits, ${onRedis ? "on Redis" : "in memory"}`, () => {
    const stage = Stage.forEachTest();
    let redis: TestRedis | undefined;
    let emitter: Emitter;
    let relay: TestRelay;
    /** The relay that clients come back to: another one where there are several. */
    let other: TestRelay;

    before(async function () {
      if (!onRedis) return;
      requires("redis-server", this);
      redis = await TestRedis.start();
    });
    after(() => redis?.stop());

    /** @param hooks of the configuration file */
    async function start(hooks: object = {}): Promise<void> {
      await redis?.forget();
      const env = { APP_KEY, REALTIME_API_KEY: API_KEY, ...(redis === undefined ? {} : { REDIS_URL: redis.url }) };
      relay = await stage.relay({ env, file: { hooks } });
      other = redis === undefined ? relay : await stage.relay({ env, file: { hooks } });
      emitter = createEmitter(redis === undefined ? { url: relay.httpUrl, apiKey: API_KEY } : { redis: redis.url });
      stage.closeLater(() => emitter.close());
      await listening(redis, redis === undefined ? 0 : 2);
    }

    const ann = (): TargetControl => emitter.site("5").user("ann");
    const token = (claims: object = {}): string => connectToken(APP_KEY, { iat: moment(), ...claims });
    const subscribe = async (client: RawClient, item: object): Promise<SubscribeResult> =>
      (await client.emit<{ results: SubscribeResult[] }>("subscribe", [item])).results[0] as SubscribeResult;

    /** Connects, and waits until what is kept has been heard of: what was listed before it would have been made by then. */
    async function listedAfter(auth: object): Promise<string[]> {
      const client = stage.client(other, { auth: { v: 1, ...auth } });
      const { topics } = tracked(client);
      await client.until(() => topics.has("Kept"));
      for (const topic of ["Gone", "Kept"]) await publish(relay, topic, { id: 1 });
      await client.until(() => [...topics].every((topic) => client.messages(topic).length === 1));
      expect(client.messages("Gone").length).to.equal(topics.has("Gone") ? 1 : 0);
      client.close();
      return [...topics].sort();
    }

    for (const [name, end, code] of [
      ["unsubscribe", () => ann().unsubscribe("Gone"), "not-found"],
      ["revoke", () => ann().revoke({ topic: "Gone" }), "revoked"],
    ] as const) {
      it(`that list subscriptions do not bring back, by ticket or token, what ${name === "revoke" ? "a" : "an"} ${name} has ended`, async () => {
        await start();
        const old = token({ subscriptions: LISTED, exp: moment() + 600 });
        const client = stage.client(relay, { auth: { v: 1, token: old } });
        const { topics, ended } = tracked(client);
        await client.until(() => topics.size === 2);
        const { ticket } = await client.hello;
        await end();
        await client.until(() => ended.length === 1);
        expect([ended[0]?.topic, ended[0]?.error.code]).to.deep.equal(["Gone", code]);
        client.close();
        expect(await listedAfter({ ticket })).to.deep.equal(["Kept"]);
        expect(await listedAfter({ token: old })).to.deep.equal(["Kept"]);
        expect(await listedAfter({ token: token({ subscriptions: LISTED }) }), "listed anew").to.deep.equal(["Gone", "Kept"]);
      });
    }

    it("that list subscriptions do not bring back what was ended while nobody was there", async () => {
      await start();
      const old = token({ subscriptions: LISTED });
      await emitter.site("5").unsubscribe("Go*");
      expect(await listedAfter({ token: old })).to.deep.equal(["Kept"]);
      await ann().subscribe("Gone");
      expect(await listedAfter({ token: old }), "the later command counts").to.deep.equal(["Gone", "Kept"]);
    });

    it("become no younger by a refresh that the backend answers", async () => {
      const backend = await HookBackend.open(stage, () => ({ until: Math.floor(moment()) + 600 }));
      await start({ refresh: { url: backend.url } });
      const claims = { subscriptions: LISTED, grants: [{ topic: "Gran*" }], until: moment() + 300 };
      const client = stage.client(relay, { auth: { v: 1, token: token(claims) } });
      const { topics, ended } = tracked(client);
      await client.until(() => topics.size === 2);
      expect(codeOf(await subscribe(client, { id: "1", topic: "Grant" }))).to.equal("accepted");
      for (const topic of ["Grant", "Gone"]) await ann().revoke({ topic });
      await client.until(() => ended.length === 2);
      const tickets = new Promise<[string | null, string][]>((resolve) => void client.socket.once("tickets", resolve));
      expect(await client.emit("refresh", {}))
        .to.have.property("until")
        .above(moment() + 500);
      expect(codeOf(await subscribe(client, { id: "2", topic: "Grant" }))).to.equal("revoked");
      expect(codeOf(await subscribe(client, { id: "3", topic: "Grand" }))).to.equal("accepted");
      const ticket = (await tickets).find(([id]) => id === null)?.[1];
      const back = await stage.connect(other, { auth: { v: 1, ticket } });
      expect(codeOf(await subscribe(back, { id: "4", topic: "Grant" }))).to.equal("revoked");
      back.close();
      expect(await listedAfter({ ticket })).to.deep.equal(["Kept"]);
    });

    it("become no younger by a refresh whose token does not list them, and as young as one that does", async () => {
      await start();
      const client = stage.client(relay, { auth: { v: 1, token: token({ subscriptions: LISTED }) } });
      const { topics, ended } = tracked(client);
      await client.until(() => topics.size === 2);
      await ann().revoke({ topic: "Gone" });
      await client.until(() => ended.length === 1);
      for (const [subscriptions, expected] of [
        [[], ["Kept"]],
        [LISTED, ["Gone", "Kept"]],
      ]) {
        const tickets = new Promise<[string | null, string][]>((resolve) => void client.socket.once("tickets", resolve));
        await client.emit("refresh", { token: token({ subscriptions }) });
        expect(await listedAfter({ ticket: (await tickets)[0]?.[1] })).to.deep.equal(expected);
      }
    });

    it("of a token become no younger by the connect hook that is asked about it", async () => {
      const backend = await HookBackend.open(stage, () => ({ grants: [{ topic: "Hooked" }], subscriptions: [{ topic: "Kept" }] }));
      await start({ connect: { url: backend.url } });
      const old = token({ grants: [{ topic: "*" }], subscriptions: LISTED.slice(0, 1), exp: moment() + 600 });
      for (const topic of ["Gone", "Grant", "Hooked"]) await ann().revoke({ topic });
      expect(await listedAfter({ token: old })).to.deep.equal(["Kept"]);
      const client = await stage.connect(relay, { auth: { v: 1, token: old } });
      const back = await stage.connect(other, { auth: { v: 1, ticket: (await client.hello).ticket } });
      for (const each of [client, back]) {
        expect(codeOf(await subscribe(each, { id: "1", topic: "Grant" }))).to.equal("revoked");
        expect(codeOf(await subscribe(each, { id: "2", topic: "Other" }))).to.equal("accepted");
        expect(codeOf(await subscribe(each, { id: "3", topic: "Hooked" })), "by the younger of two grants").to.equal("accepted");
      }
    });

    it("of subscriptions keep their time over a return by ticket and a refresh of another one", async () => {
      await start();
      const client = await stage.connect(relay, { auth: { v: 1, token: token() } });
      const grants = [{ topic: "A" }, { topic: "B" }];
      const first = subscribeToken(APP_KEY, { iat: moment(), grants });
      const results = await client.emit<{ results: { ticket: string }[] }>("subscribe", [
        { id: "a", topic: "A", token: first },
        { id: "b", topic: "B", token: first },
      ]);
      const back = await stage.connect(other, { auth: { v: 1, token: token() } });
      const ended = tracked(back).ended;
      const again = await back.emit<{ results: { ticket: string }[] }>(
        "subscribe",
        ["A", "B"].map((topic, i) => ({ id: topic.toLowerCase(), topic, ticket: results.results[i]?.ticket })),
      );
      await ann().revoke({ topic: "A" });
      await back.until(() => ended.length === 1);
      await back.emit("refresh", { subscriptions: [{ id: "b", token: subscribeToken(APP_KEY, { iat: moment(), grants }) }] });
      expect(codeOf(await subscribe(back, { id: "a2", topic: "A", ticket: again.results[0]?.ticket }))).to.equal("revoked");
      expect(codeOf(await subscribe(back, { id: "a3", topic: "A", token: first }))).to.equal("revoked");
      await ann().revoke({ topic: "B" });
      await back.until(() => ended.length === 2);
    });

    it("of what the server subscribed end with a revocation, whatever the relay's clock says", async () => {
      await start();
      const realNow = Date.now;
      try {
        // Ahead of Redis; in memory there is one clock.
        Date.now = () => realNow() + (onRedis ? 5000 : 0);
        const client = await stage.connect(relay);
        const { topics, ended } = tracked(client);
        await ann().subscribe("Held");
        await client.until(() => topics.has("Held"));
        await ann().revoke({ topic: "Held" });
        await client.until(() => ended.length === 1);
        expect([ended[0]?.topic, ended[0]?.error.code]).to.deep.equal(["Held", "revoked"]);
        await ann().subscribe("Held");
        await client.until(() => topics.has("Held"));
      } finally {
        Date.now = realNow;
      }
    });
  });
}

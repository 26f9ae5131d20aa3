import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import { createEmitter, type Emitter } from "@bellwire/emitter";
import type { ServerSubscribed } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import type { RawClient } from "../support/socket.js";
import { API_KEY, APP_KEY, command, listen, listening } from "./controlled.js";
import { eventually, publish, Stage } from "./stage.js";

/** What the server subscribed a client to and has not ended, by topic and filter; the personal topics are left out. */
function tracked(client: RawClient): { open: Map<string, ServerSubscribed>; has: (...names: string[]) => boolean } {
  const open = new Map<string, ServerSubscribed>();
  const nameOf = ({ topic, filter }: Pick<ServerSubscribed, "topic" | "filter">): string => topic + JSON.stringify(filter);
  client.socket.on("subscribed", (one: ServerSubscribed) => {
    if (!one.topic.startsWith("$")) open.set(nameOf(one), one);
  });
  client.socket.on("unsubscribed", (one: ServerSubscribed) => void open.delete(nameOf(one)));
  return { open, has: (...names) => names.length === open.size && names.every((name) => open.has(name)) };
}

for (const onRedis of [true, false]) {
  describe(`subscriptions that the server made, ${onRedis ? "on Redis" : "in memory"}`, () => {
    const stage = Stage.forEachTest();
    let redis: TestRedis | undefined;
    let relay: TestRelay;
    /** The relay that clients come back to: another one where there are several. */
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

    it("hold over a reconnect to another relay, from where the client was", async () => {
      const client = await stage.connect(relay);
      const first = tracked(client);
      await emitter.site("5").user("ann").subscribe("Bell", { id: 5 });
      await client.until(() => first.has('Bell{"id":5}'));
      await publish(relay, "Bell", { id: 5 });
      await client.until(() => client.messages("Bell").length === 1);
      const { epoch } = client.received[0] as { epoch: string };
      client.close();
      for (const id of [6, 5]) await publish(relay, "Bell", { id });
      const { token } = client.socket.auth as { token: string };
      const since = [{ topic: "Bell", filter: { id: 5 }, epoch, offset: 1 }];
      const again = stage.client(other, { auth: { v: 1, token, client: "back", since } });
      const second = tracked(again);
      await again.until(() => second.has('Bell{"id":5}'));
      const [subscribed] = second.open.values();
      expect(subscribed?.messages.map(([offset]) => offset)).to.deep.equal([3]);
      expect(subscribed).to.deep.include({ epoch, offset: 3, resync: false });
      await publish(relay, "Bell", { id: 5 });
      await again.until(() => again.messages("Bell").length === 1);
    });

    it("are there for who was not, made by emitter or HTTP, for a user, a session and a page load", async () => {
      const site = emitter.site("5");
      await site.user("ann").subscribe("U");
      await site.session("s1").subscribe("S", { id: [1, 2] });
      expect((await command(other, "subscribe", { client: "page", topic: "C" })).status).to.equal(200);
      const ann = stage.client(relay);
      const anns = tracked(ann);
      await ann.until(() => anns.has("U{}", 'S{"id":[1,2]}'));
      const { token } = ann.socket.auth as { token: string };
      const paged = stage.client(other, { auth: { v: 1, token, client: "page" } });
      const pages = tracked(paged);
      await paged.until(() => pages.has("U{}", 'S{"id":[1,2]}', "C{}"));
      const anonymous = stage.client(relay, { claims: { sub: "" } });
      const its = tracked(anonymous);
      await anonymous.until(() => its.has('S{"id":[1,2]}'));
      const stranger = await stage.connect(relay, { claims: { sub: "bob", sid: "s9" } });
      const strangers = tracked(stranger);
      const elsewhere = await stage.connect(relay, { site: "6" });
      const others = tracked(elsewhere);
      await pause(50);
      expect([strangers.open.size, others.open.size]).to.deep.equal([0, 0]);
    });

    it("stay ended for who was away when they were", async () => {
      const site = emitter.site("5");
      for (const topic of ["A", "B", "C", "D"]) await site.user("ann").subscribe(topic);
      await site.user("ann").unsubscribe("A");
      await site.session("s1").unsubscribe("B");
      await site.unsubscribe("C");
      const client = stage.client(other);
      const own = tracked(client);
      await client.until(() => own.has("D{}"));
      await pause(30);
      expect([...own.open.keys()]).to.deep.equal(["D{}"]);
      const elsewhere = stage.client(other, { claims: { sid: "s2" } });
      const its = tracked(elsewhere);
      await elsewhere.until(() => its.has("B{}", "D{}"));
    });

    it("do not outlast a revocation", async () => {
      const site = emitter.site("5");
      for (const topic of ["A", "B"]) await site.user("ann").subscribe(topic, { id: 5 });
      await site.user("ann").revoke({ topic: "A", filter: { id: 5 } });
      await pause(5);
      const client = stage.client(relay, { claims: { iat: Date.now() / 1000 } });
      const own = tracked(client);
      await client.until(() => own.has('B{"id":5}'));
      await site.user("ann").subscribe("A", { id: 5 });
      await client.until(() => own.has('A{"id":5}', 'B{"id":5}'));
    });

    it("are made once where they are told and read at the same time, and never after they were ended", async () => {
      const target = emitter.site("5").user("ann");
      for (let round = 0; round < 10; round++) {
        const [even, odd] = [`T${2 * round}`, `T${2 * round + 1}`];
        await target.subscribe(odd);
        const client = stage.client(round % 2 === 0 ? relay : other);
        const heard = listen(client);
        const own = tracked(client);
        await Promise.all([client.hello, target.subscribe(even), target.unsubscribe(odd)]);
        await client.until(() => own.has(`${even}{}`));
        await target.subscribe("last");
        await client.until(() => own.open.has("last{}"));
        expect([...own.open.keys()]).to.have.members([`${even}{}`, "last{}"]);
        const made = heard<ServerSubscribed>("subscribed").filter(({ topic }) => topic === even);
        expect(made).to.have.length(1);
        await target.unsubscribe();
        client.close();
      }
    }).timeout(20_000);

    it("that a client has ended stay ended until it comes back", async () => {
      const client = await stage.connect(relay);
      const own = tracked(client);
      await emitter.site("5").user("ann").subscribe("T");
      await client.until(() => own.has("T{}"));
      const { id } = own.open.get("T{}") as ServerSubscribed;
      await client.emit("unsubscribe", [id]);
      await emitter.site("5").user("ann").subscribe("U");
      await client.until(() => own.open.has("U{}"));
      client.close();
      const again = stage.client(other);
      const its = tracked(again);
      await again.until(() => its.has("T{}", "U{}"));
    });

    it("beyond what a connection may have are refused, and counted", async () => {
      const small = redis === undefined ? {} : { REDIS_URL: redis.url };
      const tight = await stage.relay({
        env: { APP_KEY, REALTIME_API_KEY: API_KEY, ...small },
        file: { limits: { subscriptionsPerConnection: 5 } },
      });
      for (let i = 0; i < 8; i++) await command(tight, "subscribe", { user: "ann", topic: `T${i}` });
      const client = await stage.connect(tight);
      await eventually(() => (tight.relay.stats.refused.get("limit") ?? 0) >= 3, "the rest is refused");
      expect(client.socket.connected).to.equal(true);
    });
  });
}

describe("commands that a relay missed", () => {
  const stage = Stage.forEachTest();
  let redis: TestRedis;
  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
  });
  after(() => redis?.stop());

  const open = async (): Promise<[TestRelay, Emitter]> => {
    await redis.forget();
    const relay = await stage.relay({ env: { APP_KEY, REALTIME_API_KEY: API_KEY, REDIS_URL: redis.url } });
    await listening(redis, 1);
    const emitter = createEmitter({ redis: redis.url, timeout: 800 });
    stage.closeLater(() => emitter.close());
    return [relay, emitter];
  };

  /** Does something while the relay does not hear of commands: nothing but what is stored can tell it. */
  const unheard = async (work: () => Promise<unknown>): Promise<void> => {
    const raw = redis.client();
    // The emitter may store, and not tell.
    await raw.call("ACL", "SETUSER", "default", "resetchannels", "&bellwire:0:{*");
    await raw.call("CLIENT", "KILL", "TYPE", "pubsub");
    try {
      await work();
    } finally {
      await raw.call("ACL", "SETUSER", "default", "allchannels");
      await raw.call("CLIENT", "KILL", "TYPE", "pubsub");
      raw.disconnect();
    }
  };

  it("are made good when it hears again: what was made, and what was ended", async () => {
    const [relay, emitter] = await open();
    const client = await stage.connect(relay);
    const own = tracked(client);
    const ann = emitter.site("5").user("ann");
    for (const topic of ["Left", "Old", "Kept"]) await ann.subscribe(topic);
    await client.until(() => own.has("Left{}", "Old{}", "Kept{}"));
    // What the client itself has ended is not pressed on it again.
    await client.emit("unsubscribe", [own.open.get("Left{}")?.id]);
    own.open.delete("Left{}");
    await unheard(async () => {
      await Promise.allSettled([ann.subscribe("New"), ann.unsubscribe("Old")]);
    });
    await client.until(() => own.has("Kept{}", "New{}"));
    await publish(relay, "New", { id: 1 });
    // Its channel was cut too: what is published before it is whole again may be told as a resync.
    await client.until(() => client.messages("New").length === 1 || client.resyncs.some(({ topic }) => topic === "New"));
  }).timeout(20_000);

  it("and what Redis has lost is put back by who still has it", async () => {
    const [relay, emitter] = await open();
    const client = await stage.connect(relay);
    const own = tracked(client);
    await emitter.site("5").user("ann").subscribe("T", { id: 5 });
    await client.until(() => own.has('T{"id":5}'));
    await redis.kill();
    await redis.run();
    await listening(redis, 1);
    const raw = redis.client();
    for (const end = Date.now() + 5000; (await raw.keys("*:held:user:*")).length === 0; await pause(10)) {
      if (Date.now() > end) throw new Error("It was not put back");
    }
    raw.disconnect();
    expect(own.has('T{"id":5}')).to.equal(true);
    const again = stage.client(relay);
    const its = tracked(again);
    await again.until(() => its.has('T{"id":5}'));
  }).timeout(20_000);
});

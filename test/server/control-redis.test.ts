import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import { createEmitter } from "@bellwire/emitter";
import type { WireError } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { RedisCluster } from "../support/redis-cluster.js";
import { RedisSentinels } from "../support/redis-sentinels.js";
import { TestRedis } from "../support/redis.js";
import { API_KEY, APP_KEY, command, listen, listening, refusal } from "./controlled.js";
import { hostilePayloads } from "./hostile-control.js";
import { eventually, namespacesOf, request, Stage } from "./stage.js";

describe("control on Redis", () => {
  const stage = Stage.forEachTest();
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  let redis: TestRedis;

  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
    process.on("unhandledRejection", note);
    process.on("uncaughtException", note);
  });
  after(async () => {
    process.off("unhandledRejection", note);
    process.off("uncaughtException", note);
    await redis?.stop();
    expect(unhandled).to.deep.equal([]);
  });

  async function relay(more: Record<string, string> = {}): Promise<TestRelay> {
    const started = await stage.relay({ env: { APP_KEY, REALTIME_API_KEY: API_KEY, REDIS_URL: redis.url, ...more } });
    await eventually(() => started.relay.log.status.up, "the relay is up");
    return started;
  }

  it("goes over one namespace, which no client may enter", async () => {
    const one = await relay();
    await listening(redis, 1);
    const client = await stage.connect(one);
    const raw = redis.client();
    const channels = (await raw.call("PUBSUB", "CHANNELS", "*")) as string[];
    expect(
      channels.every((channel) => /^bellwire:0:control-(request|response)#\/control#/.test(channel)),
      channels.join(),
    ).to.equal(true);
    expect(await raw.call("PUBSUB", "NUMPAT"), "broadcasts are not even listened to").to.equal(0);
    raw.disconnect();
    const names = [...namespacesOf(one)].filter(([, nsp]) => (nsp as { adapter: object }).adapter.constructor.name === "RedisAdapter");
    expect(names, "no namespace that a client could reach has it").to.deep.equal([]);
    const stranger = stage.client(one, { namespace: "/control" });
    expect(((await refusal(stranger.hello)) as unknown as { data: WireError }).data.code).to.equal("forbidden");
    expect(client.socket.connected).to.equal(true);
  });

  it("keeps relays of another database or prefix out", async () => {
    const [one, two] = [await relay(), await relay({ REDIS_DB: "3" })];
    await listening(redis, 1);
    await using emitter = createEmitter({ redis: redis.url, prefix: "other:" });
    const clients = [await stage.connect(one), await stage.connect(two)];
    await emitter.site("5").user("ann").disconnect();
    await using right = createEmitter({ redis: `${redis.url}/3` });
    await right.site("5").user("ann").disconnect();
    await eventually(() => clients[1]?.socket.connected === false, "the right one is gone");
    expect(clients[0]?.socket.connected).to.equal(true);
  });

  it("is refused in time while Redis is away, whether or not somebody awaits it", async () => {
    const away = await TestRedis.start();
    const one = await stage.relay({ env: { APP_KEY, REALTIME_API_KEY: API_KEY, REDIS_URL: away.url } });
    const errors: [Error, object][] = [];
    const emitter = createEmitter({ redis: away.url, timeout: 700, onError: (error, context) => errors.push([error, context]) });
    stage.closeLater(() => emitter.close());
    await emitter.site("5").user("ann").disconnect();
    await away.kill();
    const target = emitter.site("5").user("ann");
    for (const attempt of [() => target.disconnect(), () => target.subscribe("T"), () => target.unsubscribe(), () => target.revoke()]) {
      const begun = performance.now();
      expect((await refusal(attempt())).code).to.equal("unavailable");
      expect(performance.now() - begun).to.be.below(1000);
    }
    void target.revoke();
    await eventually(() => errors.length > 1, "it is reported, behind the loss of the connection");
    expect(errors.map(([, context]) => context)).to.deep.equal([{}, { site: "5", command: "revoke" }]);
    const begun = performance.now();
    const { status, body } = await command(one, "revoke", { user: "ann" });
    expect([status, body.error?.code]).to.deep.equal([503, "unavailable"]);
    expect(performance.now() - begun).to.be.below(5000);
    expect((await refusal(one.relay.counts())).code).to.equal("unavailable");
    // It goes on as soon as Redis is back.
    await away.run();
    const client = await stage.connect(one);
    while (client.socket.connected) {
      await target.disconnect().catch(() => undefined);
      await pause(50);
    }
    await away.stop();
  }).timeout(30_000);

  it("goes on after its connection for channels was cut", async () => {
    const one = await relay();
    await listening(redis, 1);
    const client = await stage.connect(one);
    const raw = redis.client();
    await raw.call("CLIENT", "KILL", "TYPE", "pubsub");
    await listening(redis, 1);
    raw.disconnect();
    await using emitter = createEmitter({ redis: redis.url });
    await emitter.site("5").user("ann").disconnect();
    await eventually(() => !client.socket.connected, "the client is gone");
  });

  it("outlives garbage on its channels", async () => {
    const one = await relay();
    await listening(redis, 1);
    const client = await stage.connect(one);
    const raw = redis.client();
    const garbage = one.relay.stats.garbage;
    const channels = ["bellwire:0:control-request#/control#", "bellwire:0:control-response#/control#"];
    for (const payload of hostilePayloads()) {
      await Promise.all(channels.map((channel) => raw.publish(channel, payload)));
    }
    // The adapter listens here too, each on a channel of its own.
    for (const channel of (await raw.call("PUBSUB", "CHANNELS", "bellwire:0:control-response*")) as string[]) {
      for (const payload of hostilePayloads().slice(0, 100)) await raw.publish(channel, payload);
    }
    raw.disconnect();
    expect(one.relay.stats.garbage - garbage).to.be.above(300);
    expect(client.socket.connected).to.equal(true);
    expect(await one.relay.counts()).to.deep.include({ relays: 1, missing: 0, connections: 1 });
    await using emitter = createEmitter({ redis: redis.url });
    await emitter.site("5").user("ann").disconnect();
    await eventually(() => !client.socket.connected, "commands are still heard");
  }).timeout(30_000);

  it("counts a relay that does not answer as missing, and believes no nonsense", async () => {
    const one = await relay();
    await relay();
    await listening(redis, 2);
    const raw = redis.client();
    await raw.subscribe("bellwire:0:control-request#/control#");
    const second = redis.client();
    raw.on("message", (_channel: string, payload: string) => {
      const { requestId } = JSON.parse(payload) as { requestId: string };
      const data = { connections: -1, subscriptions: "x" };
      void second.publish("bellwire:0:control-response#/control#", JSON.stringify({ type: 6, requestId, data }));
    });
    const begun = performance.now();
    const [counts, same] = await Promise.all([one.relay.counts(), one.relay.counts()]);
    expect(counts).to.deep.include({ relays: 2, missing: 1, connections: 0 });
    expect(same, "asked once").to.equal(counts);
    expect(performance.now() - begun).to.be.below(3000);
    raw.disconnect();
    second.disconnect();
  });

  it("is told of by a key for all sites only where it is about all sites", async () => {
    const file = { apiKeys: [{ key: "bound-to-site-five", sites: ["5"] }] };
    const one = await stage.relay({ env: { APP_KEY, REALTIME_API_KEY: API_KEY, REDIS_URL: redis.url }, file });
    const authorization = "Bearer bound-to-site-five";
    const counts = await request(`${one.httpUrl}/v1/counts`, { headers: { authorization } });
    expect([counts.status, counts.body.error?.code]).to.deep.equal([403, "wrong-site"]);
    expect((await command(one, "disconnect", { user: "x" }, "6", "bound-to-site-five")).body.error?.code).to.equal("wrong-site");
    expect((await command(one, "disconnect", { user: "x" }, "5", "bound-to-site-five")).status).to.equal(200);
  });
});

describe("control with Sentinels", () => {
  const stage = Stage.forEachTest();
  const servers: TestRedis[] = [];
  let sentinels: RedisSentinels;

  before(async function () {
    this.timeout(60_000);
    requires("redis-server", this);
    servers.push(await TestRedis.start(["--repl-diskless-sync-delay", "0"]));
    const [{ port }] = servers as [TestRedis];
    servers.push(await TestRedis.start(["--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", String(port)]));
    sentinels = await RedisSentinels.start({ master: port });
  });
  after(async () => {
    await sentinels?.stop();
    await Promise.all(servers.map((server) => server.stop()));
  });

  it("follows the master", async () => {
    const redis = { sentinels: sentinels.ports.map((port) => ({ host: "127.0.0.1", port })), name: sentinels.name };
    const options = { env: { APP_KEY, REALTIME_API_KEY: API_KEY }, file: { redis } };
    const relays = [await stage.relay(options), await stage.relay(options)] as const;
    const together = async (): Promise<void> => {
      for (const end = Date.now() + 15_000; ; await pause(20)) {
        const counts = await Promise.all(relays.map(({ relay }) => relay.counts().catch(() => undefined)));
        if (counts.every((count) => count?.relays === 2 && count.missing === 0)) return;
        if (Date.now() > end) throw new Error(`Relays don't know of each other: ${JSON.stringify(counts)}`);
      }
    };
    await together();
    await using emitter = createEmitter({ redis });
    const [ann, bob] = [await stage.connect(relays[0]), await stage.connect(relays[1], { claims: { sub: "bob" } })];
    await emitter.site("5").user("ann").revoke();
    await eventually(() => !ann.socket.connected, "ann is gone");
    await sentinels.failover();
    await together();
    const heard = listen(bob);
    while (heard("subscribed").length === 0) {
      await emitter
        .site("5")
        .user("bob")
        .subscribe("T")
        .catch(() => undefined);
      await pause(50);
    }
    const token = (ann.socket.auth as { token: string }).token;
    const stranger = stage.client(relays[1], { auth: { v: 1, token } });
    expect(((await refusal(stranger.hello)) as unknown as { data: WireError }).data.code).to.equal("revoked");
  }).timeout(40_000);
});

describe("control on a Redis Cluster", () => {
  const stage = Stage.forEachTest();
  let cluster: RedisCluster;

  before(async function () {
    this.timeout(60_000);
    requires("redis-server", this);
    cluster = await RedisCluster.start({ replicas: 0 });
  });
  after(() => cluster?.stop());

  it("reaches all relays, whichever nodes they are connected to", async () => {
    const { nodes } = cluster;
    const options = { env: { APP_KEY, REALTIME_API_KEY: API_KEY }, file: { redis: { nodes } } };
    const relays = [await stage.relay(options), await stage.relay(options), await stage.relay(options)];
    await using emitter = createEmitter({ redis: { nodes } });
    for (const end = Date.now() + 10_000; ; await pause(20)) {
      const counts = await Promise.all(relays.map(({ relay }) => relay.counts().catch(() => undefined)));
      if (counts.every((count) => count?.relays === 3 && count.missing === 0)) break;
      if (Date.now() > end) throw new Error(`Relays don't know of each other: ${JSON.stringify(counts)}`);
    }
    const clients = await Promise.all(relays.map((relay) => stage.connect(relay)));
    const heard = clients.map(listen);
    await emitter.site("5").user("ann").subscribe("T", { id: 5 });
    await eventually(() => heard.every((of) => of("subscribed").length === 1), "all are subscribed");
    await emitter.site("5").user("ann").revoke();
    await eventually(() => clients.every(({ socket }) => !socket.connected), "all are gone");
    expect(heard.map((of) => of<WireError>("bye")[0]?.code)).to.deep.equal(["revoked", "revoked", "revoked"]);
  }).timeout(30_000);
});

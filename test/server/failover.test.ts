import { expect } from "chai";
import type { SubscribeResult } from "@bellwire/protocol";
import { requires } from "../house/requires.js";
import { RedisSentinels } from "../support/redis-sentinels.js";
import { TestRedis } from "../support/redis.js";
import type { RawClient } from "../support/socket.js";
import { subscribeToken } from "../support/tokens.js";
import { eventually, eventuallyAsked, Stage } from "./stage.js";

const APP_KEY = "k".repeat(40);

describe("a failover by Sentinels", () => {
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

  it("is told twice, also to who is away the second time, and to who comes to a relay that had nothing open", async () => {
    const redis = { sentinels: sentinels.ports.map((port) => ({ host: "127.0.0.1", port })), name: sentinels.name };
    const options = { env: { APP_KEY }, file: { redis } };
    const [busy, idle] = [await stage.relay(options), await stage.relay(options)] as const;
    const master = (servers[0] as TestRedis).client();
    stage.closeLater(() => master.disconnect());
    await eventuallyAsked(async () => (await master.keys("*$probe*")).length === 2, "both relays have looked whether they hear");
    const [stays, leaves] = [await stage.connect(busy), await stage.connect(busy)];
    for (const client of [stays, leaves]) await client.subscribe({ id: "a", topic: "A" });
    const told = (client: RawClient, of: string): RawClient["resyncs"] => client.resyncs.filter(({ topic }) => topic === of);
    await sentinels.failover();
    await eventually(() => told(leaves, "A").length === 1, "the first resync", 20_000);
    leaves.close();
    const [away] = told(leaves, "A");
    const late = await stage.connect(idle);
    await late.subscribe({ id: "b", topic: "B" });
    await eventually(() => told(stays, "A").length === 2 && told(late, "B").length === 1, "the second resync", 30_000);
    for (const [relay, position, resync] of [
      [busy, away, true],
      [idle, away, true],
      [busy, told(stays, "A")[1], false],
    ] as const) {
      const returned = await stage.connect(relay);
      const item = { id: "a", topic: "A", since: position, token: subscribeToken(APP_KEY, { grants: [{ topic: "A" }] }) };
      const { results } = await returned.emit<{ results: SubscribeResult[] }>("subscribe", [item]);
      expect(results[0], JSON.stringify(position)).to.include({ resync });
    }
  }).timeout(90_000);
});

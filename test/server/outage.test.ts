import { expect } from "chai";
import type { Subscribed } from "@bellwire/protocol";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { RawClient } from "../support/socket.js";
import { eventually, post, request } from "./stage.js";

describe("a relay whose Redis goes away", function () {
  this.timeout(30_000);
  let redis: TestRedis;
  let relay: TestRelay;
  let client: RawClient;

  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
    relay = await createTestRelay({ env: { REDIS_URL: redis.url } });
    await eventually(() => relay.relay.log.status.up, "Redis is up");
    client = new RawClient({ url: relay.httpUrl, appKey: relay.appKey });
    await client.hello;
  });
  after(async () => {
    client?.close();
    await relay?.close();
    await redis?.stop();
  });

  it("keeps its sockets, says what is wrong, admits as degraded, fails publishes in time, and resyncs on return", async () => {
    await client.subscribe({ id: "before", topic: "Before" });
    const published = await post(relay, "5", { topic: "Before", data: { id: 1 } });
    await client.until(() => client.messages("Before").length === 1);
    await redis.kill();
    await eventually(() => !relay.relay.log.status.up, "the relay has noticed");

    const ready = await request(`${relay.httpUrl}/readyz`);
    expect(ready.status, "a balancer keeps the relay").to.equal(200);
    expect(ready.body).to.include({ status: "degraded", redis: "down" }).and.to.have.property("problem");

    const [during] = (await client.subscribe({ id: "during", topic: "During" })) as [Subscribed];
    expect(during).to.deep.include({ degraded: true, messages: [] });
    const again = (await client.subscribe({ id: "again", topic: "Before", since: { epoch: "1", offset: 1 } })) as [Subscribed];
    expect(again[0], "a position that nobody can vouch for").to.deep.include({ degraded: true, resync: true });
    // Another relay, which still has its Redis, may have told it more.
    const since = { epoch: published.body.results?.[0]?.epoch as string, offset: 7 };
    const [ahead] = await client.subscribe({ id: "ahead", topic: "Before", since });
    expect(ahead, "a client that has heard more than this relay is not taken back").to.deep.include({
      ...since,
      degraded: true,
      resync: true,
    });

    const failed = await post(relay, "5", { topic: "Before", data: { id: 2 } });
    expect([failed.status, failed.body.error?.code, failed.body.error?.retry]).to.deep.equal([503, "unavailable", "later"]);
    expect(client.socket.connected).to.equal(true);

    await redis.run();
    await client.until(() => ["Before", "During"].every((topic) => client.resyncs.some((resync) => resync.topic === topic)), 15_000);
    await eventually(() => relay.relay.log.status.up, "Redis is up again", 10_000);
    expect((await request(`${relay.httpUrl}/readyz`)).body).to.deep.equal({ status: "ready", redis: "up" });
    const { body } = await post(relay, "5", { topic: "During", data: { id: 3 } });
    await client.until(() => client.messages("During").length === 1);
    expect(client.messages("During")[0]?.[0]).to.equal(body.results?.[0]?.offset);
    expect(client.socket.connected).to.equal(true);
  });
});

import { createServer } from "node:net";
import { once } from "node:events";
import { expect } from "chai";
import { requires } from "../house/requires.js";
import { eventually, request, Stage, subscribed } from "../server/stage.js";
import { TestRedis } from "../support/redis.js";
import { expectOneLine, results, run, settingsOf } from "./command.js";

describe("the command bellwire stats", function () {
  this.timeout(60_000);
  const stage = Stage.forEachTest();

  it("shows what is open, as a table or as JSON", async () => {
    const relay = await stage.relay();
    const client = await stage.connect(relay);
    const answers = await client.subscribe({ id: "1", topic: "news" }, { id: "2", topic: "news", filter: { id: 5 } });
    answers.forEach(subscribed);
    const numbers = { relays: 1, missing: 0, connections: 1, subscriptions: 2, sites: 1, feeds: 3 };
    const json = JSON.parse(await results(stage, ["stats", "--json"], settingsOf(relay))) as object;
    expect(json).to.deep.include({ url: relay.url, status: "ready", redis: "none", ...numbers });
    const rows = (await results(stage, ["stats"], settingsOf(relay))).trim().split("\n");
    const table = Object.fromEntries(rows.map((row) => row.split(/ {2,}/) as [string, string]));
    expect(table).to.deep.include({ relay: relay.url, status: "ready", connections: "1", subscriptions: "2" });
  });

  it("asks the internal port where there is one, and below a path", async () => {
    const spare = createServer().listen(0, "127.0.0.1");
    await once(spare, "listening");
    const internal = String((spare.address() as { port: number }).port);
    spare.close();
    await once(spare, "close");
    const relay = await stage.relay({ env: { REALTIME_INTERNAL_PORT: internal, REALTIME_PUBLIC_URL: "wss://example.com/ws" } });
    const env = { ...settingsOf(relay), REALTIME_PUBLIC_URL: `${relay.url}/ws`, REALTIME_WS_HOST: "127.0.0.1" };
    const json = JSON.parse(await results(stage, ["stats", "--json"], { ...env, REALTIME_INTERNAL_PORT: internal })) as object;
    expect(json).to.deep.include({ url: `${relay.url}/ws`, status: "ready", connections: 0 });
    expectOneLine(await run(stage, ["stats"], env), 1, "does not tell: not-found");
  });

  it("says in words of its own that Redis is down, and what to do", async function () {
    requires("redis-server", this);
    const redis = await TestRedis.start();
    stage.closeLater(() => redis.stop());
    const relay = await stage.relay({ env: { REDIS_URL: redis.url } });
    await eventually(() => relay.relay.readiness().status === "ready", "the relay is ready");
    await redis.kill();
    await eventually(() => relay.relay.readiness().store === "down", "the relay has noticed");
    const outcome = await run(stage, ["stats"], settingsOf(relay));
    expectOneLine(outcome, 1, "because its Redis is down: start Redis, or check the relay's REDIS_URL");
    expect(outcome.stderr).not.to.match(/stream|queue/i);
    const { status, text } = await request(`${relay.httpUrl}/v1/counts`, { headers: { authorization: `Bearer ${relay.apiKey}` } });
    expect(status).to.equal(503);
    expect(text).not.to.match(/stream|queue/i);
  });

  it("says why a relay does not tell", async () => {
    const relay = await stage.relay();
    const env = { ...settingsOf(relay), REALTIME_API_KEY: "x".repeat(32) };
    expectOneLine(await run(stage, ["stats"], env), 1, "token-invalid: The API key is not known here");
  });
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { RelayProcess } from "../support/relay-process.js";
import type { Bellwire } from "../server/bellwire.js";
import { eventually, post, publish, Stage, subscribed } from "../server/stage.js";
import { expectOneLine, jsonLines, results, run, said, settingsOf, start } from "./command.js";

const bin = fileURLToPath(new URL("../../server/bin/bellwire.js", import.meta.url));
const KEY = `base64:${Buffer.alloc(32, 7).toString("base64")}`;

describe("the commands bellwire publish and bellwire subscribe", function () {
  // Each run is a process that takes half a second to start.
  this.timeout(60_000);
  const stage = Stage.forEachTest();

  async function listen(env: NodeJS.ProcessEnv, ...more: string[]): Promise<Bellwire> {
    const bellwire = start(stage, ["subscribe", "5", "news", ...more], env);
    await said(bellwire, "Listening to news on site 5");
    return bellwire;
  }

  /** A client of the topic, that has subscribed. */
  async function watch(relay: TestRelay) {
    const client = await stage.connect(relay);
    subscribed((await client.subscribe({ id: "1", topic: "news" }))[0]);
    return client;
  }

  it("publishes over a relay's HTTP API, and prints the position", async () => {
    const relay = await stage.relay();
    const client = await watch(relay);
    const [first] = jsonLines(await results(stage, ["publish", "5", "news", '{"id":5}'], settingsOf(relay)));
    await client.until(() => client.messages("news").length === 1);
    expect(client.messages("news")[0]?.[2]).to.deep.equal({ id: 5 });
    expect(first).to.deep.equal({ topic: "news", epoch: client.received[0]?.epoch, offset: 1 });
    const [second] = jsonLines(await results(stage, ["publish", "5", "news"], settingsOf(relay)));
    await client.until(() => client.messages("news").length === 2);
    expect([second?.offset, client.messages("news")[1]?.[2]]).to.deep.equal([2, {}]);
  });

  it("reads data from standard input, and publishes once for one key", async () => {
    const relay = await stage.relay();
    const client = await watch(relay);
    for (let i = 0; i < 2; i++) {
      const child = spawn(process.execPath, [bin, "publish", "5", "news", "-", "--idempotency-key", "one"], {
        env: { PATH: process.env.PATH, ...settingsOf(relay) },
        stdio: ["pipe", "ignore", "inherit"],
      });
      child.stdin.end('{"id": 7}\n');
      expect((await once(child, "close"))[0]).to.equal(0);
    }
    await publish(relay, "news", { id: 8 });
    await client.until(() => client.messages("news").length === 2);
    expect(client.messages("news").map(([, , data]) => data.id)).to.deep.equal([7, 8]);
  });

  it("says why the relay refused", async () => {
    const relay = await stage.relay();
    const wrong = { ...settingsOf(relay), REALTIME_API_KEY: "x".repeat(32), APP_KEY: KEY };
    expectOneLine(await run(stage, ["publish", "5", "news"], wrong), 1, "token-invalid");
    expectOneLine(await run(stage, ["subscribe", "5", "news"], wrong), 1, /token-invalid: .*\(is this the relay's APP_KEY\?\)/);
  });

  it("does nothing, and says so, where realtime is switched off", async () => {
    const { status, stdout, stderr } = await run(stage, ["publish", "5", "news"], {
      REALTIME_ENABLED: "false",
      REALTIME_API_KEY: "k".repeat(32),
      REALTIME_PUBLIC_URL: "ws://127.0.0.1:1",
    });
    expect([status, stdout]).to.deep.equal([0, "null\n"]);
    expect(stderr).to.include("REALTIME_ENABLED");
  });

  it("prints what matches, and ends after --count lines", async () => {
    const relay = await stage.relay();
    const bellwire = await listen(settingsOf(relay), "--filter", '{"id":[1,2]}', "--count", "2");
    const positions = [];
    for (const id of [1, 3, 2, 1]) positions.push(await publish(relay, "news", { id }));
    const { status, stdout } = await bellwire.outcome();
    expect(status).to.equal(0);
    const lines = jsonLines(stdout);
    expect(lines.map(({ time, ...line }) => ({ ...line, time: typeof time }))).to.deep.equal([
      { topic: "news", epoch: positions[0]?.epoch, offset: 1, data: { id: 1 }, time: "number" },
      { topic: "news", epoch: positions[0]?.epoch, offset: 3, data: { id: 2 }, time: "number" },
    ]);
  });

  it("begins with the topic's last message, unless that is not wanted", async () => {
    const relay = await stage.relay();
    await publish(relay, "news", { id: 1 });
    const [line] = jsonLines(await results(stage, ["subscribe", "5", "news", "--count", "1"], settingsOf(relay)));
    expect(line).to.deep.include({ offset: 1, replay: true });
    const bellwire = await listen(settingsOf(relay), "--no-replay", "--count", "1");
    await publish(relay, "news", { id: 2 });
    expect(jsonLines((await bellwire.outcome()).stdout).map(({ offset, replay }) => [offset, replay])).to.deep.equal([[2, undefined]]);
  });

  it("connects as whom it is told, and ends cleanly on Ctrl-C", async () => {
    const relay = await stage.relay({ file: { anonymous: false } });
    expectOneLine(await run(stage, ["subscribe", "5", "news"], settingsOf(relay)), 1, "takes no anonymous connections");
    const bellwire = await listen(settingsOf(relay), "--user", "42", "--session", "s1");
    const [connection] = relay.relay.gateway?.connections ?? [];
    expect([connection?.user, connection?.session]).to.deep.equal(["42", "s1"]);
    const { status, stdout, stderr } = await bellwire.stop("SIGINT");
    expect([status, stdout]).to.deep.equal([0, ""]);
    expect(stderr.split("\n")).to.have.length(2);
  });

  it("signs with a site's own key where the file names one", async () => {
    const file = { sites: { "5": { keys: [{ key: KEY, kid: "five" }] } } };
    const relay = await stage.relay({ file });
    const env = { ...settingsOf(relay), REALTIME_CONFIG: await stage.file("bellwire.json", JSON.stringify(file)) };
    const bellwire = await listen(env, "--count", "1");
    await publish(relay, "news", { id: 1 });
    expect((await bellwire.outcome()).status).to.equal(0);
  });

  it("ends with the reason where it is sent away for good", async () => {
    const relay = await stage.relay();
    const bellwire = await listen(settingsOf(relay), "--user", "42");
    await post(relay, "5", {}); // the API answers
    const response = await fetch(`${relay.httpUrl}/v1/sites/5/disconnect`, {
      method: "POST",
      headers: { authorization: `Bearer ${relay.apiKey}`, "content-type": "application/json" },
      body: '{"user":"42"}',
    });
    expect(response.status).to.equal(200);
    const { status, stderr } = await bellwire.outcome();
    expect(status).to.equal(1);
    expect(stderr).to.match(/\nbellwire: [a-z-]+: [^\n]+\n$/);
  });

  describe("with Redis", () => {
    let redis: TestRedis;
    before(async function () {
      requires("redis-server", this);
      redis = await TestRedis.start();
    });
    after(() => redis?.stop());

    it("publishes straight into Redis, and says where nobody hears it", async () => {
      const relay = await stage.relay({ env: { REDIS_URL: redis.url } });
      await eventually(() => relay.relay.readiness().status === "ready", "the relay is ready");
      const client = await watch(relay);
      const heard = await run(stage, ["publish", "5", "news", '{"id":1}'], { REDIS_URL: redis.url });
      expect([heard.status, heard.stderr]).to.deep.equal([0, ""]);
      await client.until(() => client.messages("news").length === 1);
      const unheard = await run(stage, ["publish", "5", "news"], { REDIS_URL: `${redis.url}/3` });
      expect(unheard.status).to.equal(0);
      expect(unheard.stderr).to.include("nobody hears it");
      // The environment names both, and an option chooses.
      const env = { ...settingsOf(relay), REDIS_URL: `${redis.url}/3` };
      await results(stage, ["publish", "5", "news", '{"id":2}', "--via", "http"], env);
      await client.until(() => client.messages("news").length === 2);
    });

    it("comes back after the relay was killed, hears what it missed, and prints a resync where that can't be known", async () => {
      const relay = await RelayProcess.start({ REDIS_URL: redis.url, APP_KEY: KEY, REALTIME_API_KEY: "k".repeat(32) });
      stage.closeLater(() => relay.stop());
      const bellwire = await listen({ APP_KEY: KEY, REALTIME_PUBLIC_URL: relay.url.replace("http", "ws") });
      await results(stage, ["publish", "5", "news", '{"id":1}'], { REDIS_URL: redis.url });
      await bellwire.printed(/"id":1/);
      await relay.kill();
      await said(bellwire, "coming back");
      await results(stage, ["publish", "5", "news", '{"id":2}'], { REDIS_URL: redis.url });
      await relay.run();
      await bellwire.printed(/"id":2/);
      const client = redis.client();
      await client.flushall();
      client.disconnect();
      await results(stage, ["publish", "5", "news", '{"id":3}'], { REDIS_URL: redis.url });
      await bellwire.printed(/"resync":true/);
      const { status, stdout } = await bellwire.stop("SIGINT");
      expect(status).to.equal(0);
      const lines = jsonLines(stdout);
      expect(lines.filter(({ data }) => data !== undefined).map(({ data }) => (data as { id: number }).id)).to.include.members([1, 2]);
      expect(lines.find(({ resync }) => resync === true)).to.have.all.keys("topic", "epoch", "offset", "resync", "cause");
    });
  });
});

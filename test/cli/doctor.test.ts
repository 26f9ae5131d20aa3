import { expect } from "chai";
import type { Outcome } from "../server/bellwire.js";
import { requires } from "../house/requires.js";
import { stablePort } from "../support/stable-port.js";
import { TestRedis } from "../support/redis.js";
import { eventually, Stage } from "../server/stage.js";
import { run, settingsOf } from "./command.js";

const KEY = `base64:${Buffer.alloc(32, 7).toString("base64")}`;

describe("the command bellwire doctor", function () {
  this.timeout(60_000);
  const stage = Stage.forEachTest();

  interface Line {
    readonly level: string;
    readonly rest: string;
  }

  /** What it printed, by check. Each line has the one form. */
  function linesOf({ stdout }: Outcome): Record<string, Line> {
    const lines: Record<string, Line> = {};
    for (const line of stdout.trim().split("\n")) {
      const [, level, check, rest] = /^(ok|warn|fail) {2,4}(\S+(?: \S+)*) {2,}(\S.*)$/.exec(line) ?? [];
      if (level === undefined || check === undefined || rest === undefined) throw new Error(`Not of the form: ${line}`);
      if (level !== "ok") expect(rest, line).to.include(" -> ");
      lines[check] = { level, rest };
    }
    return lines;
  }

  function levelsOf(outcome: Outcome): Record<string, string> {
    return Object.fromEntries(Object.entries(linesOf(outcome)).map(([check, { level }]) => [check, level]));
  }

  it("finds a relay in memory well, and says what that means", async () => {
    const relay = await stage.relay();
    const outcome = await run(stage, ["doctor"], settingsOf(relay));
    expect(outcome.status, outcome.stdout).to.equal(0);
    expect(levelsOf(outcome)).to.deep.equal({
      settings: "ok",
      APP_KEY: "ok",
      REALTIME_API_KEY: "ok",
      redis: "warn",
      relay: "ok",
      "relay API": "ok",
      subscription: "ok",
      "delivery (http)": "ok",
    });
    expect(outcome.stderr).to.equal("7 ok, 1 to look at, 0 failed\n");
  });

  it("fails where settings are wrong, and looks no further", async () => {
    const outcome = await run(stage, ["doctor"], { APP_KEY: "short" });
    expect(outcome.status).to.equal(1);
    expect(linesOf(outcome)).to.have.all.keys("settings");
    expect(linesOf(outcome).settings?.rest).to.include("APP_KEY: The key has 5 bytes");
  });

  it("warns of what is missing, and fails where no relay answers", async () => {
    const outcome = await run(stage, ["doctor"], { REALTIME_PUBLIC_URL: `ws://127.0.0.1:${await stablePort()}` });
    expect(outcome.status).to.equal(1);
    expect(levelsOf(outcome)).to.deep.equal({ settings: "ok", APP_KEY: "warn", REALTIME_API_KEY: "warn", redis: "warn", relay: "fail" });
    expect(linesOf(outcome).relay?.rest).to.include("ECONNREFUSED").and.to.include("bellwire serve");
  });

  it("fails where the relay has other keys", async () => {
    const relay = await stage.relay();
    const env = settingsOf(relay);
    const appKey = await run(stage, ["doctor"], { ...env, APP_KEY: KEY });
    expect(appKey.status).to.equal(1);
    expect(linesOf(appKey).subscription?.level).to.equal("fail");
    expect(linesOf(appKey).subscription?.rest).to.include("token-invalid");
    const apiKey = levelsOf(await run(stage, ["doctor"], { ...env, REALTIME_API_KEY: "x".repeat(32) }));
    expect(apiKey).to.deep.include({ "relay API": "fail", subscription: "ok", "delivery (http)": "fail" });
  });

  it("tries the site and user that it is told", async () => {
    const relay = await stage.relay({ file: { sites: { "5": { keys: [KEY] } } } });
    const outcome = await run(stage, ["doctor", "--site", "5"], settingsOf(relay));
    expect(linesOf(outcome).subscription?.level).to.equal("fail");
    expect(levelsOf(await run(stage, ["doctor", "--site", "6", "--user", "42"], settingsOf(relay)))).to.include({ subscription: "ok" });
  });

  describe("with Redis", () => {
    let redis: TestRedis;
    beforeEach(async function () {
      requires("redis-server", this);
      redis = await TestRedis.start();
      stage.closeLater(() => redis.stop());
    });

    async function relayOn(url: string): Promise<NodeJS.ProcessEnv> {
      const relay = await stage.relay({ env: { REDIS_URL: url } });
      await eventually(() => relay.relay.readiness().status === "ready", "the relay is ready");
      return settingsOf(relay);
    }

    it("looks at version, eviction, round trip, clock and relays, and publishes both ways", async () => {
      const env = await relayOn(redis.url);
      const outcome = await run(stage, ["doctor"], { ...env, REDIS_URL: redis.url });
      expect(outcome.status, outcome.stdout).to.equal(0);
      const names = [
        "redis",
        "redis version",
        "redis eviction",
        "redis round trip",
        "clock",
        "relays",
        "delivery (redis)",
        "delivery (http)",
      ];
      const levels = levelsOf(outcome);
      for (const name of names) expect([name, levels[name]]).to.deep.equal([name, "ok"]);
      expect(outcome.stdout).not.to.match(/^(warn|fail)/m);
    });

    it("warns of a Redis that throws keys away, and of one that no relay listens to", async () => {
      const env = await relayOn(redis.url);
      const client = redis.client();
      await client.config("SET", "maxmemory-policy", "allkeys-lru", "maxmemory", "100mb");
      client.disconnect();
      const outcome = await run(stage, ["doctor"], { ...env, REDIS_URL: `${redis.url}/3` });
      expect(outcome.status).to.equal(1);
      const lines = linesOf(outcome);
      expect([lines["redis eviction"]?.level, lines.relays?.level, lines["delivery (redis)"]?.level]).to.deep.equal([
        "warn",
        "warn",
        "fail",
      ]);
      expect(lines["redis eviction"]?.rest).to.include("allkeys-lru").and.to.include("noeviction");
      expect(lines["delivery (redis)"]?.rest).to.include("not heard").and.to.include("database and prefix");
      expect(lines["delivery (http)"]?.level).to.equal("ok");
    });

    it("fails where Redis is away or wants a password, and never shows one", async () => {
      const env = await relayOn(redis.url);
      const away = await run(stage, ["doctor"], { ...env, REDIS_URL: `redis://127.0.0.1:${await stablePort()}` });
      expect([away.status, linesOf(away).redis?.level]).to.deep.equal([1, "fail"]);
      expect(linesOf(away).redis?.rest).to.include("ECONNREFUSED");
      expect(levelsOf(away)).to.include({ relay: "ok", "delivery (http)": "ok" }).and.not.to.have.property("delivery (redis)");
      const client = redis.client();
      await client.config("SET", "requirepass", "hunter2");
      const outcome = await run(stage, ["doctor"], { ...env, REDIS_URL: redis.url.replace("//", "//:hunter3@") });
      client.disconnect();
      expect(linesOf(outcome).redis?.rest).to.include("WRONGPASS").and.to.include("REDIS_PASSWORD");
      expect(outcome.stdout + outcome.stderr).not.to.include("hunter");
    });

    it("fails where the clocks differ", async () => {
      const env = await relayOn(redis.url);
      const late = new URL("late-clock.mjs", import.meta.url).href;
      const outcome = await run(stage, ["doctor"], { ...env, REDIS_URL: redis.url, NODE_OPTIONS: `--import=${late}` });
      expect(linesOf(outcome).clock?.level).to.equal("fail");
      expect(linesOf(outcome).clock?.rest).to.match(/Redis is 1(19|20)\.\d+ s behind/);
    });
  });
});

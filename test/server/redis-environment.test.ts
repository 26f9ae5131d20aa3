import { expect } from "chai";
import { Redis } from "ioredis";
import { createEmitter } from "@bellwire/emitter";
import { readRedis } from "@bellwire/emitter/redis";
import { ConfigError, readConfig } from "@bellwire/server";
import { createTestRelay } from "@bellwire/server/testing";
import { readOptions } from "../../emitter/src/options.js";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { RawClient } from "../support/socket.js";

type Env = Readonly<Record<string, string | undefined>>;

const BASE = { APP_KEY: "k".repeat(32), REALTIME_API_KEY: "an API key of a test" };

/** What each side makes of an environment: its settings, or its one line. */
function relays(env: Env): unknown {
  try {
    return readConfig({ ...BASE, ...env }).redis;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}
function emitters(env: Env): unknown {
  try {
    return readRedis(env);
  } catch (error) {
    if (error instanceof TypeError) return error.message;
    throw error;
  }
}

describe("a relay and an emitter", () => {
  const values: Readonly<Record<string, readonly (string | undefined)[]>> = {
    REDIS_URL: [undefined, "NULL", "redis://h:7000", "redis://u:p%40ss@h/3", "rediss://h", "redis://[::1]:7000/1", "redis:///1", "h:6379"],
    REDIS_HOST: [undefined, "Null", " h2 ", "tls://h2"],
    REDIS_PORT: [undefined, "null", "7001", "0"],
    REDIS_DB: [undefined, "NULL", "5", "-1"],
    REDIS_USERNAME: [undefined, "null", "ann"],
    REDIS_PASSWORD: [undefined, "NULL", "p@ss:/word"],
    REDIS_PREFIX: [undefined, "nUll", "app_", "a b"],
  };

  it("read the same out of every environment, value by value, and complain in the same words", () => {
    const names = Object.keys(values);
    let compared = 0;
    const compare = (env: Env): void => {
      expect(emitters(env), JSON.stringify(env)).to.deep.equal(relays(env));
      compared++;
    };
    // Each pair of variables with all their values, the others being as usual.
    const usual = { REDIS_URL: "redis://h:7000", REDIS_HOST: "h2", REDIS_PASSWORD: "pw", REDIS_DB: "5" };
    for (const base of [{}, usual, { ...usual, REDIS_URL: undefined }]) {
      for (const one of names) {
        for (const other of names) {
          for (const value of values[one] ?? [])
            for (const second of values[other] ?? []) compare({ ...base, [one]: value, [other]: second });
        }
      }
    }
    expect(compared).to.be.above(1000);
  });

  it("fill in what a URL leaves out, and take null in any case for nothing", () => {
    const env = { REDIS_URL: "redis://h:7000", REDIS_DB: "5", REDIS_USERNAME: "ann", REDIS_PASSWORD: "p@ss", REDIS_PREFIX: "NULL" };
    expect(readRedis(env)).to.deep.equal({ target: "redis://ann:p%40ss@h:7000/5", prefix: undefined });
    expect(readRedis({ REDIS_HOST: "NULL", REDIS_URL: "Null" })).to.equal(undefined);
    expect(relays({ REDIS_HOST: "tls://h" })).to.match(/^REDIS_HOST is the name of a host.*REDIS_URL/);
  });

  it("say the same of the other variables", () => {
    for (const value of [undefined, "NULL", "no", "Off", "TRUE", "perhaps"]) {
      const env = { REALTIME_ENABLED: value, REDIS_HOST: "h" };
      let emitter: unknown;
      try {
        emitter = readOptions({}, env).transport !== undefined;
      } catch (error) {
        emitter = (error as Error).message;
      }
      let relay: unknown;
      try {
        relay = readConfig({ ...BASE, ...env }).enabled;
      } catch (error) {
        relay = (error as Error).message;
      }
      expect(emitter, value).to.equal(relay);
    }
    const absent = { REALTIME_PUBLIC_URL: "NULL", REALTIME_API_KEY: "Null" };
    expect(() => readOptions({}, absent)).to.throw(TypeError, /nowhere to publish/);
    expect(readConfig({ ...absent, APP_KEY: BASE.APP_KEY }).publicUrl.href).to.equal("ws://localhost:6200/");
  });

  it("meet in one database, as one user, under one prefix", async function () {
    requires("redis-server", this);
    const redis = await TestRedis.start();
    const admin = new Redis(redis.url);
    await admin.acl("SETUSER", "app", "on", ">p@ss", "~*", "&*", "+@all");
    await admin.config("SET", "requirepass", "another");
    admin.disconnect();
    const env = {
      REDIS_URL: redis.url,
      REDIS_HOST: "nowhere.invalid",
      REDIS_DB: "7",
      REDIS_USERNAME: "app",
      REDIS_PASSWORD: "p@ss",
      REDIS_PREFIX: "Null",
    };
    const before = { ...process.env };
    const relay = await createTestRelay({ env });
    const client = new RawClient({ url: relay.url, appKey: relay.appKey, site: "5" });
    Object.assign(process.env, env);
    const emitter = createEmitter();
    for (const name of Object.keys(env)) {
      delete process.env[name];
      if (before[name] !== undefined) process.env[name] = before[name];
    }
    try {
      await client.hello;
      await client.subscribe({ id: "1", topic: "T" });
      await emitter.site(5).publish("T", { id: 5 });
      await client.until(() => client.messages("T").length === 1);
      const look = new Redis({ port: redis.port, username: "app", password: "p@ss", db: 7 });
      expect(await look.exists("bellwire:7:{5:T}")).to.equal(1);
      look.disconnect();
    } finally {
      client.close();
      await emitter.close();
      await relay.close();
      await redis.stop();
    }
  });

  it("say so where REALTIME_LOG=memory stands beside a Redis", () => {
    const warnings = (env: Env): readonly string[] => readConfig({ ...BASE, ...env }).warnings;
    expect(warnings({ REALTIME_LOG: "memory", REDIS_HOST: "h" })).to.deep.equal([
      "REALTIME_LOG=memory is not in force beside REDIS_HOST: the log is in that Redis. Remove one of the two",
    ]);
    expect(warnings({ REALTIME_LOG: "memory", REDIS_URL: "redis://h" })[0]).to.contain("beside REDIS_URL");
    expect(warnings({ REALTIME_LOG: "memory", REDIS_HOST: "NULL" })).to.deep.equal([]);
  });
});

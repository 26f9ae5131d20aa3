import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { Redis } from "ioredis";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { RawClient } from "../support/socket.js";

// Nothing of the emitter's code is used here: this is what a backend in another language does with a Redis client of its own.

interface Message {
  readonly id?: string;
  readonly idempotencyKey?: string;
  readonly data: object;
  readonly except?: object;
  readonly retry?: boolean;
}

interface Call {
  readonly given: {
    readonly prefix: string;
    readonly db: number;
    readonly site: string;
    readonly topic?: string;
    readonly user?: string;
    readonly session?: string;
    readonly messages: readonly Message[];
  };
  readonly keys: readonly string[];
  readonly args: readonly string[];
  readonly reply: string;
  readonly payloads: readonly string[];
}

const file = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const script = `${file("emitter/lua/log.lua")}\n${file("emitter/lua/append.lua")}`;
const { cases } = JSON.parse(file("protocol/vectors/redis-publish.json")) as { cases: { name: string; calls: Call[] }[] };
const hash = (text: string): string => createHash("sha256").update(text).digest("base64url");

describe("publishing with a plain Redis client", () => {
  let server: TestRedis;
  let redis: Redis;
  let channels: Redis;

  before(async function () {
    requires("redis-server", this);
    server = await TestRedis.start();
    redis = new Redis(server.url);
    channels = new Redis(server.url);
  });
  after(async () => {
    redis?.disconnect();
    channels?.disconnect();
    await server?.stop();
  });
  beforeEach(() => server.forget());

  const evaluate = (keys: readonly string[], args: readonly string[]): Promise<unknown> =>
    redis.eval(script, keys.length, ...keys, ...args);

  for (const { name, calls } of cases) {
    it(`is as the vectors say: ${name}`, async () => {
      const heard: [string, string][] = [];
      const listener = (channel: string, payload: string): void => void heard.push([channel, payload]);
      channels.on("smessage", listener);
      const logs = [...new Set(calls.map(({ keys }) => keys[0] as string))];
      for (const log of logs) await channels.ssubscribe(log);
      const epochs = new Map<string, string>();
      const expected: [string, string][] = [];
      for (const { keys, args, reply, payloads } of calls) {
        const log = keys[0] as string;
        const answer = (await evaluate(keys, args)) as string;
        const epoch = epochs.get(log) ?? (answer.split(" ")[0] as string);
        epochs.set(log, epoch);
        expect(epoch).to.match(/^\d{1,32}$/);
        expect(answer).to.equal(reply.replace("<epoch>", epoch));
        expected.push(...payloads.map((payload): [string, string] => [log, payload.replace("<epoch>", epoch)]));
      }
      while (heard.length < expected.length) await once(channels, "smessage");
      const now = Date.now();
      const shown = heard.map(([log, payload]) => {
        const [epoch, offset, time, ...rest] = payload.split("\n");
        expect(Number(time), "a time").to.be.closeTo(now, 60_000);
        return [log, [epoch, offset, "<time>", ...rest].join("\n")];
      });
      expect(shown).to.deep.equal(expected);
      channels.off("smessage", listener);
      await channels.sunsubscribe(...logs);
    });

    it(`follows from what is published: ${name}`, () => {
      for (const { given, keys, args } of calls) {
        const topic = given.topic ?? (given.user === undefined ? `$session:${hash(given.session as string)}` : `$user:${hash(given.user)}`);
        const log = `${given.prefix}${given.db}:{${given.site}:${topic}}`;
        const known = given.messages.flatMap(({ idempotencyKey }) =>
          idempotencyKey === undefined ? [] : [`${log}:${hash(idempotencyKey)}`],
        );
        expect(keys).to.deep.equal([log, ...known]);
        given.messages.forEach(({ id, idempotencyKey, data, except, retry }, i) => {
          const [text, sentId, sentExcept, marks] = args.slice(2 + 4 * i, 6 + 4 * i);
          expect(JSON.parse(text as string)).to.deep.equal(data);
          expect([sentId, sentExcept]).to.deep.equal([idempotencyKey ?? id, except === undefined ? "" : JSON.stringify(except)]);
          expect(marks).to.equal((retry === true ? "r" : "") + (idempotencyKey === undefined ? "" : "k"));
        });
        expect(args).to.have.length(2 + 4 * given.messages.length);
      }
    });
  }

  it("keeps an idempotency key for five minutes, and an idle log for its age and an hour", async () => {
    const log = "bellwire:0:{acme:T}";
    const key = `${log}:${hash("k")}`;
    await evaluate([log, key], ["1000", "60000", "{}", "k", "", "k"]);
    expect(await redis.ttl(key)).to.be.within(295, 300);
    expect(await redis.pttl(log)).to.be.within(3_600_000, 3_660_000);
  });

  it("recognises a late first attempt for five minutes, remembers a thousand retries, and nothing of ordinary publishes", async () => {
    const log = "bellwire:0:{acme:T}";
    const args = (...ids: string[]): string[] => ["5000", "60000", ...ids.flatMap((id) => ["{}", id, "", "r"])];
    const epoch = ((await evaluate([log], ["5000", "60000", "{}", "first", "", ""])) as string).split(" ")[0] as string;
    expect(await redis.keys("*retried*")).to.deep.equal([]);
    for (let i = 0; i < 1100; i += 100) await evaluate([log], args(...Array.from({ length: 100 }, (_, j) => `r${i + j}`)));
    const retried = `${log}:retried:${epoch}`;
    expect(await redis.zcard(retried)).to.equal(1000);
    expect(await redis.ttl(retried)).to.be.within(295, 300);
    expect(await evaluate([log], ["5000", "60000", "{}", "r1099", "", ""])).to.equal(`${epoch} 1101*`);
    expect(await evaluate([log], ["5000", "60000", "{}", "r100", "", ""])).to.equal(`${epoch} 102*`);
  });

  it("works for a user who may not keep what was retried, and where something else stands in its place", async () => {
    const log = "bellwire:0:{acme:T}";
    const epoch = ((await evaluate([log], ["1000", "60000", "{}", "a", "", ""])) as string).split(" ")[0] as string;
    await redis.set(`${log}:retried:${epoch}`, "of another type");
    expect(await evaluate([log], ["1000", "60000", "{}", "b", "", "r", "{}", "c", "", ""])).to.equal(`${epoch} 2 3`);
    await redis.acl("SETUSER", "narrow", "on", ">pw", "~*", "&*", "+@all", "-exists", "-zadd");
    const narrow = new Redis({ port: server.port, username: "narrow", password: "pw" });
    try {
      expect(await narrow.eval(script, 1, log, "1000", "60000", "{}", "d", "", "r")).to.equal(`${epoch} 4`);
    } finally {
      narrow.disconnect();
    }
  });

  it("begins another epoch where something else stands under the log's name", async () => {
    await redis.set("bellwire:0:{acme:T}", "of another type");
    const first = (await evaluate(["bellwire:0:{acme:T}"], ["1000", "60000", "{}", "a", "", ""])) as string;
    expect(first).to.match(/^\d+ 1$/);
  });

  it("reaches a relay's clients, with EVALSHA as with EVAL", async () => {
    const relay: TestRelay = await createTestRelay({ env: { REDIS_URL: server.url } });
    const client = new RawClient({ url: relay.url, appKey: relay.appKey, site: "acme" });
    try {
      await client.hello;
      await client.subscribe({ id: "1", topic: "T", filter: { id: 5 } });
      const sha = (await redis.script("LOAD", script)) as string;
      expect(sha).to.equal(createHash("sha1").update(script).digest("hex"));
      await redis.evalsha(sha, 1, "bellwire:0:{acme:T}", "1000", "86400000", '{"id":6}', "a", "", "");
      await redis.evalsha(sha, 1, "bellwire:0:{acme:T}", "1000", "86400000", '{"id":5}', "b", "", "");
      await client.until(() => client.messages("T").length === 1);
      expect(client.messages("T").map(([offset, , data]) => [offset, data])).to.deep.equal([[2, { id: 5 }]]);
    } finally {
      client.close();
      await relay.close();
    }
  });
});

import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect } from "chai";
import type { FastifyInstance } from "fastify";
import { BellwireError, parseFilter, type WireError } from "@bellwire/protocol";
import { readConfig } from "@bellwire/server";
import type { TestRelay } from "@bellwire/server/testing";
import { ApiKeys } from "../../server/src/http/api-keys.js";
import { registerApi, type ApiOptions } from "../../server/src/http/api.js";
import { createApp } from "../../server/src/http/app.js";
import { historyOf } from "../../server/src/http/history.js";
import { MemoryLog } from "../../server/src/stores/memory/log.js";
import { createLogger } from "../../server/src/observe/logger.js";
import { StallWatch } from "../../server/src/observe/stall.js";
import { Stats } from "../../server/src/observe/stats.js";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { API_KEY, APP_KEY, command } from "./controlled.js";
import { eventually, post, publish, request, Stage, type Answer } from "./stage.js";

type Message = [offset: number, time: number, data: Record<string, unknown>];
type History = { epoch: string; offset: number; messages: Message[]; complete: boolean; error?: WireError };

function get(relay: TestRelay, path: string, query: Record<string, string> = {}, key = relay.apiKey): Promise<Answer> {
  const search = new URLSearchParams(query).toString();
  return request(`${relay.httpUrl}/v1/sites/5/${path}${search === "" ? "" : `?${search}`}`, {
    headers: { authorization: `Bearer ${key}` },
  });
}

async function history(relay: TestRelay, topic: string, query: Record<string, string> = {}): Promise<History> {
  const { status, body, headers, text } = await get(relay, `topics/${encodeURIComponent(topic)}/history`, query);
  expect(status, text).to.equal(200);
  expect(headers.get("cache-control")).to.equal("no-store");
  return body as unknown as History;
}

for (const onRedis of [true, false]) {
  describe(`the history of a topic, ${onRedis ? "on Redis" : "in memory"}`, () => {
    const stage = Stage.forEachTest();
    let redis: TestRedis | undefined;
    let relay: TestRelay;

    before(async function () {
      if (!onRedis) return;
      requires("redis-server", this);
      redis = await TestRedis.start();
    });
    after(() => redis?.stop());
    beforeEach(async () => {
      await redis?.forget();
      const env = { APP_KEY, REALTIME_API_KEY: API_KEY, ...(redis === undefined ? {} : { REDIS_URL: redis.url }) };
      relay = await stage.relay({ env, file: { topics: { "Short*": { log: { messages: 3 } } } } });
      await eventually(() => relay.relay.log.status.up, "the log is up");
    });

    it("has a position also where nothing was published", async () => {
      const empty = await history(relay, "None");
      expect(empty).to.deep.equal({ epoch: empty.epoch, offset: 0, messages: [], complete: true });
      const { epoch } = await publish(relay, "None", { id: 1 });
      expect(epoch).to.equal(empty.epoch);
    });

    it("gives the newest messages, whomever they leave out, or those after a position", async () => {
      const { epoch } = await publish(relay, "T", { id: 1 }, { except: { user: "ann" } });
      const before = Date.now();
      for (let id = 2; id <= 5; id++) await publish(relay, "T", { id, even: id % 2 === 0 });
      const all = await history(relay, "T");
      expect(all).to.deep.include({ epoch, offset: 5, complete: true });
      expect(all.messages.map(([offset, , data]) => [offset, data.id])).to.deep.equal([1, 2, 3, 4, 5].map((id) => [id, id]));
      expect(all.messages[4]?.[1]).to.be.within(before - 1000, Date.now() + 1000);
      const offsets = async (query: Record<string, string>): Promise<[number[], boolean]> => {
        const { messages, complete, offset } = await history(relay, "T", query);
        expect(offset, "the head").to.equal(5);
        return [messages.map(([each]) => each), complete];
      };
      expect(await offsets({ limit: "2" })).to.deep.equal([[4, 5], false]);
      expect(await offsets({ since: `${epoch}-2` })).to.deep.equal([[3, 4, 5], true]);
      expect(await offsets({ since: `${epoch}-2`, limit: "2" })).to.deep.equal([[3, 4], false]);
      expect(await offsets({ since: `${epoch}-4`, limit: "2" })).to.deep.equal([[5], true]);
      expect(await offsets({ since: `${epoch}-5` })).to.deep.equal([[], true]);
      expect(await offsets({ filter: '{"even":true}' })).to.deep.equal([[2, 4], true]);
      expect(await offsets({ filter: '{"even":true}', since: `${epoch}-2` })).to.deep.equal([[4], true]);
      expect(await offsets({ filter: '{"id":[1,5]}', limit: "1" })).to.deep.equal([[5], false]);
    });

    it("says where messages are gone, or the past can't be vouched for", async () => {
      const { epoch } = await publish(relay, "Short", { id: 1 });
      for (let id = 2; id <= 5; id++) await publish(relay, "Short", { id });
      const newest = await history(relay, "Short");
      expect([newest.messages.map(([offset]) => offset), newest.complete]).to.deep.equal([[3, 4, 5], false]);
      expect((await history(relay, "Short", { since: `${epoch}-1` })).complete).to.equal(false);
      expect((await history(relay, "Short", { since: `${epoch}-2` })).complete).to.equal(true);
      const strange = [
        `${epoch}-6`,
        `${Number(epoch) - 1}-2`,
        `${Number(epoch) + 1}-2`,
        "another-epoch-2",
        `${"9".repeat(32)}-2`,
        "-2",
        "é-0",
      ];
      for (const since of strange) {
        const answer = await history(relay, "Short", { since });
        expect(answer, since).to.deep.equal({ epoch, offset: 5, messages: [], complete: false });
      }
    });

    it("is refused where what is asked is wrong", async () => {
      const wrong: [topic: string, query: Record<string, string>, status: number][] = [
        ["T", { since: "" }, 400],
        ["T", { limit: "" }, 400],
        ["T", { filter: "" }, 400],
        ["T", { since: "5" }, 400],
        ["T", { since: "a-b" }, 400],
        ["T", { since: `${"x".repeat(33)}-5` }, 400],
        ["T", { since: "1-99999999999999999" }, 400],
        ["T", { limit: "0" }, 400],
        ["T", { limit: "1001" }, 400],
        ["T", { limit: "x" }, 400],
        ["T", { filter: "{" }, 400],
        ["T", { filter: "5" }, 400],
        ["T", { filter: '{"id":[]}' }, 400],
        ["a b", {}, 400],
        ["x".repeat(129), {}, 400],
        ["$user", {}, 403],
        ["$user:abc", {}, 403],
      ];
      for (const [topic, query, expected] of wrong) {
        const { status, body } = await get(relay, `topics/${encodeURIComponent(topic)}/history`, query);
        expect([status, body.error?.retry], JSON.stringify([topic, query])).to.deep.equal([expected, "never"]);
      }
      const twice = await request(`${relay.httpUrl}/v1/sites/5/topics/T/history?limit=1&limit=2`, {
        headers: { authorization: `Bearer ${API_KEY}` },
      });
      expect(twice.status).to.equal(400);
      expect((await get(relay, "topics/T/history", {}, "wrong")).status).to.equal(401);
      expect(
        (await request(`${relay.httpUrl}/v1/sites/a%20b/topics/T/history`, { headers: { authorization: `Bearer ${API_KEY}` } })).status,
      ).to.equal(400);
    });
  });
}

describe("a log with entries that can't be read", () => {
  it("has a history that says so", () => {
    const entry = (offset: number, data: string): object => ({ offset, time: 1, data, except: undefined });
    const tail = (...entries: object[]): Parameters<typeof historyOf>[0] => ({
      head: { epoch: "1", offset: 3 },
      entries: entries as never,
    });
    const query = { since: undefined, limit: 10, filter: parseFilter({}) };
    const good = [1, 2, 3].map((offset) => entry(offset, '{"a":1}'));
    expect(historyOf(tail(...good), query).complete).to.equal(true);
    for (const bad of ["{", "5", '"x"', ""]) {
      const answer = historyOf(tail(good[0] as object, entry(2, bad), good[2] as object), query);
      expect([answer.messages.map(([offset]) => offset), answer.complete]).to.deep.equal([[1, 3], false]);
    }
    expect(historyOf(tail(good[0] as object, good[2] as object), query).complete).to.equal(false);
  });
});

describe("what can be asked about a topic", () => {
  const opened: FastifyInstance[] = [];
  afterEach(async () => {
    for (const app of opened.splice(0)) await app.close();
  });

  /** An API of its own, with these answers. */
  function open(more: Partial<ApiOptions> = {}): (path: string) => Promise<[number, unknown]> {
    const app = createApp(createLogger({ sentences: true, write: () => undefined }));
    const stall = new StallWatch();
    registerApi(app, {
      keys: new ApiKeys([{ key: API_KEY, sites: undefined }]),
      log: new MemoryLog(),
      stats: new Stats(),
      settings: readConfig({}).settings,
      stall,
      ...more,
    });
    stall.stop();
    opened.push(app);
    return async (path) => {
      const { statusCode, body } = await app.inject({ url: `/v1/sites/5/${path}`, headers: { authorization: `Bearer ${API_KEY}` } });
      return [statusCode, JSON.parse(body)];
    };
  }

  const code = ([status, body]: [number, unknown]): [number, string | undefined] => [status, (body as { error?: WireError }).error?.code];

  it("is whether anybody watches it", async () => {
    const asked: unknown[] = [];
    const ask = open({
      watched: async (site, topic, filter) => {
        asked.push([site, topic, filter.canonical]);
        return topic === "T";
      },
    });
    expect(await ask('watched?topic=T&filter={"id":[2,1]}')).to.deep.equal([200, { watched: true }]);
    expect(await ask("watched?topic=U")).to.deep.equal([200, { watched: false }]);
    expect(asked).to.deep.equal([
      ["5", "T", '{"id":[1,2]}'],
      ["5", "U", "{}"],
    ]);
    expect(code(await ask("watched"))).to.deep.equal([400, "bad-request"]);
    expect(code(await ask("watched?topic=T&filter=["))).to.deep.equal([400, "bad-request"]);
    expect(code(await ask("watched?topic=$user"))).to.deep.equal([403, "forbidden"]);
    expect(asked).to.have.length(2);
  });

  it("is who is present on it", async () => {
    const answer = { users: [{ user: "ann", info: { name: "Ann" } }], count: 2 };
    const ask = open({
      presence: async (site, topic) => {
        if (topic !== "T") throw new BellwireError("forbidden", `${site}: no presence here`);
        return answer;
      },
    });
    expect(await ask("topics/T/presence")).to.deep.equal([200, answer]);
    expect(code(await ask("topics/U/presence"))).to.deep.equal([403, "forbidden"]);
    expect(code(await ask("topics/$x/presence"))).to.deep.equal([403, "forbidden"]);
  });

  it("is unsupported where the relay can't tell, and fails in the one shape", async () => {
    const ask = open();
    for (const path of ["watched?topic=T", "topics/T/presence"]) expect(code(await ask(path))).to.deep.equal([400, "unsupported"]);
    const broken = open({
      watched: () => Promise.reject(new Error("secret")),
      presence: () => Promise.reject(new BellwireError("timeout", "slow")),
    });
    expect(code(await broken("watched?topic=T"))).to.deep.equal([500, "internal"]);
    expect(JSON.stringify(await broken("watched?topic=T"))).not.to.contain("secret");
    expect(code(await broken("topics/T/presence"))).to.deep.equal([504, "timeout"]);
  });
});

describe("the OpenAPI document", () => {
  const stage = Stage.forEachTest();
  interface Operation {
    readonly operationId: string;
    readonly responses: Record<string, { content?: Record<string, { schema: object }> }>;
    readonly requestBody?: { content: Record<string, { schema: object }> };
  }

  it("is valid, and each answer is as it says", async () => {
    const relay = await stage.relay({ env: { APP_KEY, REALTIME_API_KEY: API_KEY } });
    const document = (await request(`${relay.httpUrl}/v1/openapi.json`)).body as unknown as {
      paths: Record<string, Record<string, Operation>>;
    };
    const result = await new Validator().validate(structuredClone(document));
    expect(result.valid, JSON.stringify(result.errors)).to.equal(true);
    const operations = new Map(
      Object.values(document.paths).flatMap((path) => Object.values(path).map((one) => [one.operationId, one] as const)),
    );
    expect([...operations.keys()]).to.have.members([
      ...["publish", "subscribe", "unsubscribe", "disconnect", "revoke", "history", "presence", "watched", "counts"],
      ...["events", "openapi", "healthz", "readyz", "metrics"],
    ]);

    const ajv = new Ajv2020({ strict: false });
    ajv.addSchema({ ...document, $id: "api" });
    const fits = (schema: object, value: unknown, what: string): void => {
      const check = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/')) as object);
      expect(check(value), `${what}: ${JSON.stringify(value)} ${JSON.stringify(check.errors)}`).to.equal(true);
    };
    const answers = (name: string, { status, body }: Answer, sent?: unknown): void => {
      const { responses, requestBody } = operations.get(name) as Operation;
      fits((responses[status] ?? responses.default)?.content?.["application/json"]?.schema as object, body, `${name} ${status}`);
      if (sent !== undefined && status === 200)
        fits(requestBody?.content["application/json"]?.schema as object, sent, `the request of ${name}`);
    };

    const publishes = [
      { topic: "T", data: { id: 1 }, except: { user: "ann" }, idempotencyKey: "k" },
      { topics: ["T", "$no"], data: {} },
      { user: "ann", data: {} },
      { messages: [{ session: "s1" }, { topic: "T", data: { id: 2 } }] },
      { topic: "T", user: "ann" },
    ];
    for (const body of publishes) answers("publish", await post(relay, "5", body), body);
    answers("publish", await post(relay, "5", {}, { key: "wrong" }));
    const commands: [string, object][] = [
      ["subscribe", { user: "ann", topic: "T", filter: { id: [1, 2], type: null } }],
      ["unsubscribe", { topic: "T*" }],
      ["disconnect", { client: "c", code: "draining", reason: { code: 5, message: "x" } }],
      ["revoke", { session: "s", jti: "j" }],
      ["revoke", {}],
    ];
    for (const [kind, body] of commands) answers(kind, await command(relay, kind, body), body);
    answers("history", await get(relay, "topics/T/history"));
    answers("history", await get(relay, "topics/$T/history"));
    answers("watched", await get(relay, "watched", { topic: "T" }));
    answers("presence", await get(relay, "topics/T/presence"));
    const plain = (path: string): Promise<Answer> => request(relay.httpUrl + path, { headers: { authorization: `Bearer ${API_KEY}` } });
    answers("counts", await plain("/v1/counts"));
    answers("healthz", await plain("/healthz"));
    answers("readyz", await plain("/readyz"));
  });
});

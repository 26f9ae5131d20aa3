import { expect } from "chai";
import type { TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import type { EventStream, StreamOptions } from "../support/event-stream.js";
import { TestRedis } from "../support/redis.js";
import { connectToken, now, subscribeToken } from "../support/tokens.js";
import { HookBackend } from "./hooks-backend.js";
import { eventually, publish, request, Stage } from "./stage.js";

const ALL = { grants: [{ topic: "*" }] };
const textOf = ({ events }: EventStream): string | undefined => events.find(({ event }) => event === "message")?.text;
const offsets = (stream: EventStream): number[] => stream.messages.map(({ offset }) => offset);

for (const store of ["memory", "Redis"] as const) {
  describe(`events of a relay on ${store}`, () => {
    const stage = Stage.forEachTest();
    let redis: TestRedis | undefined;
    before(async function () {
      if (store === "memory") return;
      requires("redis-server", this);
      redis = await TestRedis.start();
    });
    after(() => redis?.stop());

    async function relay(options: Parameters<Stage["relay"]>[0] = {}): Promise<TestRelay> {
      const opened = await stage.relay({ ...options, env: { ...options.env, ...(redis === undefined ? {} : { REDIS_URL: redis.url }) } });
      await eventually(() => opened.relay.log.status.up, "the relay is up");
      return opened;
    }

    it("begin with hello and an id, and bring what matches, in order and once, however many subscriptions it matches", async () => {
      const one = await relay();
      const stream = await stage.stream(one, {
        claims: ALL,
        subscribe: [
          { topic: "E1", filter: { id: [5, 6] } },
          { topic: "E1", filter: { kind: "a" } },
        ],
      });
      expect(stream.response.status).to.equal(200);
      expect(Object.fromEntries(stream.response.headers)).to.deep.include({
        "content-type": "text/event-stream",
        "cache-control": "no-store, no-transform",
        "x-accel-buffering": "no",
      });
      await stream.until(() => stream.lastEventId !== "", "an id");
      expect(stream.events[0]?.event).to.equal("hello");
      expect(stream.named("hello")[0]).to.deep.include({ v: 1, user: "ann", session: "s1" });
      for (const data of [{ id: 5 }, { id: 7 }, { id: 6, kind: "a" }, { id: 7, kind: "a" }]) await publish(one, "E1", data);
      await stream.until(() => stream.messages.length === 3, "three messages");
      expect(offsets(stream)).to.deep.equal([1, 3, 4]);
      const [message] = stream.messages;
      expect(Object.keys(message as object)).to.deep.equal(["topic", "epoch", "offset", "time", "data"]);
      expect(message).to.deep.include({ topic: "E1", data: { id: 5 } });
    });

    it("go on exactly where the last id says, whatever was published meanwhile", async () => {
      const one = await relay();
      const subscribe = [{ topic: "E2", filter: { id: 5 } }, { topic: "E2-other" }];
      const first = await stage.stream(one, { claims: ALL, subscribe });
      await first.until(() => first.lastEventId !== "", "an id");
      await publish(one, "E2", { id: 5 });
      await first.until(() => first.messages.length === 1, "the first message");
      first.close();
      for (let i = 0; i < 3; i++) await publish(one, "E2", { id: 5, i });
      await publish(one, "E2", { id: 6 });
      await publish(one, "E2-other", {});
      const second = await stage.stream(one, { claims: ALL, subscribe, lastEventId: first.lastEventId });
      await publish(one, "E2", { id: 5, i: 3 });
      await second.until(() => second.messages.length === 5, "what was missed, and what came after");
      expect(second.messages.filter(({ topic }) => topic === "E2").map(({ offset }) => offset)).to.deep.equal([2, 3, 4, 6]);
      expect(second.named("resync")).to.deep.equal([]);
      second.close();
      // By the query, for what can't send a header; every id on the way says what was heard up to it.
      for (const { id, data } of second.events.filter(({ event, data: { topic } }) => event === "message" && topic === "E2")) {
        const third = await stage.stream(one, { claims: ALL, subscribe: [subscribe[0] as object], query: { lastEventId: id } });
        const left = [2, 3, 4, 6].filter((offset) => offset > (data.offset as number));
        await third.until(() => third.messages.length === left.length && third.lastEventId !== "", "the rest");
        expect(offsets(third)).to.deep.equal(left);
        third.close();
      }
    });

    it("replay a topic's last message, unless they are asked not to, or go on from a position", async () => {
      const one = await relay();
      const { epoch } = await publish(one, "E3", { n: 1 });
      await publish(one, "E3", { n: 2 });
      for (const [item, expected] of [
        [{}, [2]],
        [{ replay: false }, []],
        [{ since: { epoch, offset: 0 } }, [1, 2]],
        [{ since: { epoch, offset: 2 } }, []],
      ] as const) {
        const stream = await stage.stream(one, { claims: ALL, subscribe: [{ topic: "E3", ...item }] });
        await stream.until(() => stream.lastEventId !== "" && stream.messages.length >= expected.length, JSON.stringify(item));
        expect(offsets(stream), JSON.stringify(item)).to.deep.equal(expected);
        stream.close();
      }
    });

    it("tell to refetch where an id is garbage, of another log, or knows nothing of the topic, and then go on", async () => {
      const one = await relay();
      await publish(one, "E4", {});
      const id = (...places: unknown[]): string => Buffer.from(JSON.stringify(places)).toString("base64url");
      for (const lastEventId of [
        "garbage",
        "x".repeat(9000),
        id({}),
        id(["E4", "1", 0]),
        id(["other", "1", 0]),
        id(),
        id(["E4", "1", -1]),
      ]) {
        const stream = await stage.stream(one, { claims: ALL, subscribe: [{ topic: "E4" }], lastEventId });
        const resyncs = (): { topics: { topic: string }[]; spread: number }[] => stream.named("resync") as never;
        await stream.until(() => resyncs().length === 3, `resyncs for ${lastEventId.slice(0, 20)}`);
        expect(resyncs().map(({ topics }) => topics.map(({ topic }) => topic).join())).to.deep.equal(["E4", "$user", "$session"]);
        expect(resyncs()[0]?.spread).to.be.a("number");
        expect(stream.messages).to.deep.equal([]);
        const { offset } = await publish(one, "E4", {});
        await stream.until(() => stream.messages.length === 1, "the next message");
        expect(offsets(stream)).to.deep.equal([offset]);
        stream.close();
      }
    });

    it("bring personal messages and what the token lists, and go on with both", async () => {
      const one = await relay();
      const claims = { sub: "ann", subscriptions: [{ topic: "E5", filter: { id: 1 } }] };
      const first = await stage.stream(one, { claims });
      const emit = (body: object): Promise<unknown> =>
        request(`${one.httpUrl}/v1/sites/5/publish`, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${one.apiKey}` },
          body: JSON.stringify(body),
        });
      const known = (stream: EventStream): string[] =>
        (JSON.parse(Buffer.from(stream.lastEventId, "base64url").toString() || "[]") as string[][])
          .map(([topic]) => topic as string)
          .sort();
      await first.until(() => known(first).length === 3, "all three are made");
      expect(known(first)).to.deep.equal(["$session", "$user", "E5"]);
      await emit({ user: "ann", data: { n: 1 } });
      await emit({ topic: "E5", data: { id: 1 } });
      await emit({ topic: "E5", data: { id: 2 } });
      await first.until(() => first.messages.length === 2, "both");
      expect(first.messages.map(({ topic }) => topic).sort()).to.deep.equal(["$user", "E5"]);
      first.close();
      await emit({ user: "ann", data: { n: 2 } });
      await emit({ user: "ben", data: { n: 3 } });
      await emit({ topic: "E5", data: { id: 1 } });
      const second = await stage.stream(one, { claims, lastEventId: first.lastEventId });
      await second.until(() => second.messages.length === 2, "what was missed of both");
      expect(second.messages.map(({ topic, offset }) => [topic, offset]).sort()).to.deep.equal([
        ["$user", 2],
        ["E5", 3],
      ]);
      expect(second.named("resync")).to.deep.equal([]);
    });

    it("carry data as it was published, line breaks between its tokens apart", async () => {
      const one = await relay();
      const claims = { ...ALL, sub: "zoe", sid: "z" };
      const stream = await stage.stream(one, { claims, subscribe: [{ topic: "E6" }] });
      await stream.until(() => stream.lastEventId !== "", "an id");
      const data = '{"big":\r\n12345678901234567890,\n"text":"a\\nb\u2028"}';
      await one.relay.log.append({ site: "5", topic: "E6", data, id: "1", idempotent: false, retry: false }, 1000);
      await stream.until(() => stream.messages.length === 1, "the message");
      expect(textOf(stream)).to.contain(`"data":${data.replace(/[\r\n]/g, " ")}}`);
      const again = await stage.stream(one, { claims, subscribe: [{ topic: "E6" }] });
      await again.until(() => again.messages.length === 1, "the message, replayed");
      expect(textOf(again)).to.equal(textOf(stream));
    });
  });
}

describe("who may have events", () => {
  const stage = Stage.forEachTest();

  it("is who has a subscribe token: what it grants and nothing else of the user's", async () => {
    const relay = await stage.relay();
    const token = subscribeToken(relay.appKey, { grants: [{ topic: "news", filter: { id: 5 } }] });
    const subscribe = [{ topic: "news", filter: { id: 5 } }];
    for (const how of [{ token }, { token: null, query: { token } }]) {
      const stream = await stage.stream(relay, { subscribe, ...how });
      await stream.until(() => stream.lastEventId !== "", "it begins");
      expect(stream.named("hello")[0]).to.deep.include({ user: "ann", session: "s1", ticket: null });
      const { offset } = await publish(relay, "news", { id: 5 });
      await stream.until(() => stream.messages.some((message) => message.offset === offset), "the message");
      expect(relay.relay.subscriptions.count, "and no subscription of the server's").to.equal(1);
      expect([...(relay.relay.connections as Iterable<{ subscriptions: Map<string, unknown> }>)][0]?.subscriptions.size).to.equal(1);
      stream.close();
      await eventually(() => relay.relay.connections.size === 0, "it is gone");
    }
    const wider = await stage.stream(relay, { subscribe: [...subscribe, { topic: "news" }], token });
    expect([wider.response.status, (await wider.error()).code]).to.deep.equal([403, "forbidden"]);
    const nothing = await stage.stream(relay, { token });
    expect([nothing.response.status, (await nothing.error()).code]).to.deep.equal([400, "bad-request"]);
  });

  it("is nobody whose token is wrong, expired, of another site or missing, nor who asks for more than is covered", async () => {
    const relay = await stage.relay();
    const { appKey } = relay;
    const subscribe = [{ topic: "news" }];
    for (const [options, status, code] of [
      [{ token: null }, 401, "token-missing"],
      [{ token: "x" }, 401, "token-invalid"],
      [{ token: subscribeToken("z".repeat(40), { topic: "news" }) }, 401, "token-invalid"],
      [{ token: subscribeToken(appKey, { topic: "news", exp: now() - 120, iat: now() - 180 }) }, 401, "token-expired"],
      [{ token: subscribeToken(appKey, { topic: "news", site: "6" }) }, 403, "wrong-site"],
      [{ headers: { authorization: "Basic x" }, token: null }, 401, "token-invalid"],
      [{ token: connectToken(appKey) }, 401, "token-missing"],
      [{ site: "no site" }, 400, "bad-request"],
      [{ subscribe: [{ topic: "$user" }], claims: ALL }, 403, "forbidden"],
      [{ subscribe: [{ topic: "a b" }], claims: ALL }, 400, "bad-request"],
      [{ subscribe: Array.from({ length: 51 }, () => ({ topic: "n" })), claims: ALL }, 400, "bad-request"],
      [{ query: { subscribe: "{" }, claims: ALL }, 400, "bad-request"],
      [{ query: { subscribe: "[5]" }, claims: ALL }, 400, "bad-request"],
      [{ subscribe: [{ topic: "news", since: { epoch: 5 } }], claims: ALL }, 400, "bad-request"],
    ] as const) {
      const stream = await stage.stream(relay, { subscribe, ...(options as Partial<StreamOptions>) });
      expect(stream.response.status, JSON.stringify(options)).to.equal(status);
      const error = await stream.error();
      expect(error.code, JSON.stringify(options)).to.equal(code);
      expect(error.message).to.not.equal("");
    }
    expect(relay.relay.subscriptions.count).to.equal(0);
  });

  it("is, where one of several subscriptions is refused, nobody: nothing is made for a moment", async () => {
    const relay = await stage.relay();
    let made = 0;
    (relay.relay.subscriptions.observers as unknown[]).push({ made: () => made++, ended: () => undefined });
    const stream = await stage.stream(relay, { claims: { grants: [{ topic: "a" }] }, subscribe: [{ topic: "a" }, { topic: "b" }] });
    expect([stream.response.status, (await stream.error()).code]).to.deep.equal([401, "token-missing"]);
    expect(made).to.equal(0);
    expect(relay.relay.feeds.size, "claims are given back").to.equal(1);
  });

  it("is a page of an allowed origin, as everywhere, and no method but GET", async () => {
    const relay = await stage.relay();
    const origin = "http://localhost:3000";
    const options = { claims: ALL, subscribe: [{ topic: "news" }] };
    const stream = await stage.stream(relay, { ...options, headers: { origin } });
    expect(stream.response.headers.get("access-control-allow-origin")).to.equal(origin);
    expect(stream.response.headers.get("access-control-allow-credentials")).to.equal("true");
    const refused = await stage.stream(relay, { ...options, token: null, headers: { origin } });
    expect(refused.response.status).to.equal(401);
    expect(refused.response.headers.get("access-control-allow-origin"), "so that the page can read why").to.equal(origin);
    const other = await stage.stream(relay, { ...options, headers: { origin: "https://evil.example" } });
    expect([other.response.status, other.response.headers.get("access-control-allow-origin")]).to.deep.equal([403, null]);
    const url = `${relay.httpUrl}/v1/sites/5/events`;
    const preflight = await request(url, { method: "OPTIONS", headers: { origin } });
    expect([preflight.status, preflight.headers.get("access-control-allow-headers")]).to.deep.equal([
      204,
      "authorization, last-event-id, cache-control",
    ]);
    for (const method of ["HEAD", "POST", "PUT", "DELETE"]) {
      const answer = await fetch(url, { method });
      expect([answer.status, answer.headers.get("allow")], method).to.deep.equal([405, "GET, OPTIONS"]);
    }
  });
});

describe("anonymous visitors", () => {
  const stage = Stage.forEachTest();

  it("have events by a subscribe token, or by a hook without any, where the site takes them", async () => {
    const refusal = { error: { code: "forbidden", message: "No" } };
    const backend = await HookBackend.open(stage, ({ body }) => (body.topic === "open" ? {} : refusal));
    for (const anonymous of [true, false]) {
      const relay = await stage.relay({ file: { anonymous, hooks: { subscribe: { url: backend.url } } } });
      const token = subscribeToken(relay.appKey, { topic: "news", sub: "", sid: "" });
      const byToken = await stage.stream(relay, { token, subscribe: [{ topic: "news" }] });
      expect(byToken.response.status).to.equal(anonymous ? 200 : 403);
      const byHook = await stage.stream(relay, { token: null, subscribe: [{ topic: "open" }] });
      expect(byHook.response.status).to.equal(anonymous ? 200 : 401);
      const refused = await stage.stream(relay, { token: null, subscribe: [{ topic: "open" }, { topic: "closed" }] });
      expect(refused.response.status).to.equal(anonymous ? 403 : 401);
    }
  });
});

import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { once } from "node:events";
import { Validator } from "@seriousme/openapi-schema-validator";
import { expect } from "chai";
import type { SubscribeResult } from "@bellwire/protocol";
import { stablePort } from "../support/stable-port.js";
import { eventually, post, publish, request, Stage, subscribed } from "./stage.js";

describe("the HTTP API", () => {
  const stage = Stage.forEachTest();

  describe("publishes", () => {
    it("one message to a topic, and answers with its position", async () => {
      const relay = await stage.relay();
      const client = await stage.connect(relay);
      const { epoch } = subscribed((await client.subscribe({ id: "1", topic: "news" }))[0]);
      const { status, body } = await post(relay, "5", { topic: "news", data: { id: 1, deep: { list: [1, "é😀"] } } });
      expect(status).to.equal(200);
      expect(body).to.deep.equal({ results: [{ topic: "news", epoch, offset: 1 }] });
      await client.until(() => client.messages("news").length === 1);
      expect(client.messages("news")[0]?.[2]).to.deep.equal({ id: 1, deep: { list: [1, "é😀"] } });
      expect(client.received[0]).to.deep.include({ topic: "news", epoch });
    });

    it("without data, or with PHP's empty list, an empty object", async () => {
      const relay = await stage.relay();
      const client = await stage.connect(relay);
      await client.subscribe({ id: "1", topic: "news" });
      for (const data of [undefined, null, {}, []]) expect((await post(relay, "5", { topic: "news", data })).status).to.equal(200);
      await client.until(() => client.messages("news").length === 4);
      for (const [, , data] of client.messages("news")) expect(data).to.deep.equal({});
    });

    it("one message to several topics, with a result for each in order", async () => {
      const relay = await stage.relay();
      const client = await stage.connect(relay);
      await client.subscribe({ id: "a", topic: "a" }, { id: "b", topic: "b" });
      await publish(relay, "b", { id: 0 });
      const { status, body } = await post(relay, "5", { topics: ["b", "a"], data: { id: 1 } });
      expect(status).to.equal(200);
      expect(body.results?.map(({ topic, offset }) => [topic, offset])).to.deep.equal([
        ["b", 2],
        ["a", 1],
      ]);
      await client.until(() => client.messages("a").length === 1 && client.messages("b").length === 2);
    });

    it("a list of messages, with results in its order and an error in the place of each that is wrong", async () => {
      const relay = await stage.relay();
      const messages = [
        { topic: "a", data: { id: 1 } },
        { topic: "no topic", data: {} },
        { topic: "$user", data: {} },
        { topic: "a", data: { text: "x".repeat(5000) } },
        "nonsense",
        { data: {} },
        { topic: "a", data: 5 },
        { topics: ["b", "c"], data: {} },
        { topics: ["d", "$no"], data: {} },
        { topic: "a", data: {}, idempotencyKey: 5 },
        { topic: "a", data: { id: 2 } },
      ];
      const { status, body } = await post(relay, "5", { messages });
      expect(status).to.equal(200);
      expect(body.results?.map((result) => [result.topic, result.error?.code ?? result.offset])).to.deep.equal([
        ["a", 1],
        ["no topic", "bad-request"],
        ["$user", "forbidden"],
        ["a", "too-large"],
        ["", "bad-request"],
        ["", "bad-request"],
        ["a", "bad-request"],
        ["b", 1],
        ["c", 1],
        ["d", 1],
        ["$no", "forbidden"],
        ["a", "bad-request"],
        ["a", 2],
      ]);
      for (const { error } of body.results ?? []) if (error !== undefined) expect(error).to.have.keys("code", "message", "retry");
    });

    it("again with the same idempotency key nothing: the first position comes back, on each topic its own", async () => {
      const relay = await stage.relay();
      const client = await stage.connect(relay);
      await client.subscribe({ id: "1", topic: "news" });
      const first = await publish(relay, "news", { id: 1 }, { idempotencyKey: "k" });
      await publish(relay, "news", { id: 2 });
      expect(await publish(relay, "news", { id: 1 }, { idempotencyKey: "k" })).to.deep.equal(first);
      const atOnce = await Promise.all(Array.from({ length: 10 }, () => publish(relay, "news", { id: 3 }, { idempotencyKey: "once" })));
      expect(new Set(atOnce.map(({ offset }) => offset))).to.deep.equal(new Set([3]));
      expect((await publish(relay, "other", { id: 1 }, { idempotencyKey: "k" })).offset).to.equal(1);
      expect((await publish(relay, "news", { id: 1 }, { idempotencyKey: "k" }, "6")).offset).to.equal(1);
      await publish(relay, "news", { id: 4 });
      await client.until(() => client.messages("news").length === 4);
      expect(client.messages("news").map(([, , data]) => data.id)).to.deep.equal([1, 2, 3, 4]);
    });

    it("to all but the user, session or client that it excepts: not live, not as a replay, not when they return", async () => {
      const relay = await stage.relay();
      const clients = {
        tab: await stage.connect(relay, { claims: { grants: [{ topic: "*" }] } }),
        otherTab: await stage.connect(relay, { claims: { grants: [{ topic: "*" }] } }),
        otherSession: await stage.connect(relay, { claims: { sid: "s2", grants: [{ topic: "*" }] } }),
        otherUser: await stage.connect(relay, { claims: { sub: "bob", sid: "s3", grants: [{ topic: "*" }] } }),
      };
      const all = Object.values(clients);
      for (const client of all) await client.subscribe({ id: "live", topic: "news" }, { id: "end", topic: "end" });
      const { client: page } = await clients.tab.hello;
      const { epoch } = await publish(relay, "news", { id: 1 }, { except: { user: "ann" } });
      await publish(relay, "news", { id: 2 }, { except: { session: "s1" } });
      await publish(relay, "news", { id: 3 }, { except: { client: page } });
      await publish(relay, "news", { id: 4 }, { except: { user: "bob", session: "s2" } });
      await publish(relay, "news", { id: 5 }, { except: {} });
      await publish(relay, "news", { id: 6 }, { except: { user: "ann", client: "x" } });
      await publish(relay, "end", {});
      const expected = { tab: [4, 5], otherTab: [3, 4, 5], otherSession: [2, 3, 5], otherUser: [1, 2, 3, 5, 6] };
      for (const [name, client] of Object.entries(clients)) {
        await client.until(() => client.messages("end").length === 1);
        const heard = expected[name as keyof typeof expected];
        expect(
          client.messages("news").map(([, , data]) => data.id),
          name,
        ).to.deep.equal(heard);
        const [since, replay] = (
          await client.emit<{ results: SubscribeResult[] }>("subscribe", [
            { id: "since", topic: "news", since: { epoch, offset: 0 } },
            { id: "replay", topic: "news" },
          ])
        ).results.map(subscribed);
        expect(
          since?.messages.map(([, , data]) => data.id),
          name,
        ).to.deep.equal(heard);
        expect(
          replay?.messages.map(([, , data]) => data.id),
          name,
        ).to.deep.equal(heard.slice(-1));
        expect(since, name).to.deep.include({ offset: 6, resync: false });
      }
    });
  });

  describe("refuses", () => {
    it("what is wrong as a whole, with the code's status and the error as the body", async () => {
      const relay = await stage.relay({ file: { limits: { dataBytes: 100 } } });
      const message = { topic: "news", data: {} };
      const wrong: [body: unknown, status: number, code: string][] = [
        ["{broken", 400, "bad-request"],
        ["", 400, "bad-request"],
        ["[]", 400, "bad-request"],
        ["null", 400, "bad-request"],
        ["5", 400, "bad-request"],
        ['"news"', 400, "bad-request"],
        [[message], 400, "bad-request"],
        [{}, 400, "bad-request"],
        [{ topic: "not a topic" }, 400, "bad-request"],
        [{ topic: "" }, 400, "bad-request"],
        [{ topic: "x".repeat(129) }, 400, "bad-request"],
        [{ topic: 5 }, 400, "bad-request"],
        [{ topic: "$user" }, 403, "forbidden"],
        [{ topic: "a", topics: ["b"] }, 400, "bad-request"],
        [{ topics: [] }, 400, "bad-request"],
        [{ topics: "a" }, 400, "bad-request"],
        [{ topics: Array.from({ length: 101 }, (_, i) => `t${i}`) }, 400, "bad-request"],
        [{ messages: [] }, 400, "bad-request"],
        [{ messages: message }, 400, "bad-request"],
        [{ messages: Array.from({ length: 1001 }, () => message) }, 400, "bad-request"],
        [{ topic: "news", data: "text" }, 400, "bad-request"],
        [{ topic: "news", data: [1] }, 400, "bad-request"],
        [{ topic: "news", data: { text: "x".repeat(90) } }, 413, "too-large"],
        [{ topic: "news", data: { text: "é".repeat(45) } }, 413, "too-large"],
        [{ topic: "news", idempotencyKey: "" }, 400, "bad-request"],
        [{ topic: "news", idempotencyKey: "x".repeat(129) }, 400, "bad-request"],
        [{ topic: "news", idempotencyKey: "a\nb" }, 400, "bad-request"],
        [{ topic: "news", except: "ann" }, 400, "bad-request"],
        [{ topic: "news", except: { user: 5 } }, 400, "bad-request"],
        [`{"topic":"news","data":{"text":"${"x".repeat(1_100_000)}"}}`, 413, "too-large"],
      ];
      for (const [body, expectedStatus, code] of wrong) {
        const { status, body: reply } = await post(relay, "5", body);
        const what = JSON.stringify(body).slice(0, 100);
        expect([status, reply.error?.code], what).to.deep.equal([expectedStatus, code]);
        expect(reply, what).to.have.all.keys("error");
        expect(reply.error?.message, what).to.be.a("string");
        expect(reply.error?.retry, what).to.equal("never");
      }
      expect((await publish(relay, "news", { text: "x".repeat(89) })).offset).to.equal(1);
    });

    it("another media type, an unknown path or method, and a bad site name in the same shape", async () => {
      const relay = await stage.relay();
      const headers = { authorization: `Bearer ${relay.apiKey}`, "content-type": "text/xml" };
      const site = (name: string): string => `${relay.httpUrl}/v1/sites/${name}/publish`;
      const wrong: [url: string, init: RequestInit, status: number, code: string][] = [
        [site("5"), { method: "POST", headers, body: "<a/>" }, 400, "bad-request"],
        [site("5"), { headers }, 405, "unsupported"],
        [`${relay.httpUrl}/v1/nothing`, { headers }, 404, "not-found"],
        [`${relay.httpUrl}/`, {}, 404, "not-found"],
        [`${relay.httpUrl}/%`, {}, 400, "bad-request"],
      ];
      for (const [url, init, expectedStatus, code] of wrong) {
        const { status, body } = await request(url, init);
        expect([status, body.error?.code], url).to.deep.equal([expectedStatus, code]);
      }
      for (const name of ["a b", "é", "$user", "x".repeat(65), "a.b"]) {
        const { status, body } = await post(relay, encodeURIComponent(name), { topic: "news" });
        expect([status, body.error?.code], name).to.deep.equal([400, "bad-request"]);
      }
    });

    it("a method that is not offered, with those that are", async () => {
      const relay = await stage.relay();
      const headers = { authorization: `Bearer ${relay.apiKey}` };
      const cases: [method: string, path: string, allow: string][] = [
        ["GET", "/v1/sites/5/publish", "POST"],
        ["PUT", "/v1/sites/5/publish/", "POST"],
        ["DELETE", "/v1/sites/5/revoke?x=/y", "POST"],
        ["POST", "/v1/sites/5/topics/news/history", "GET, HEAD"],
        ["PATCH", "/v1/counts", "GET, HEAD"],
        ["POST", "/v1/openapi.json", "GET, HEAD"],
        ["OPTIONS", "/healthz", "GET, HEAD"],
        ["QUERY", "/readyz", "GET, HEAD"],
        ["POST", "/client.js", "GET, HEAD"],
      ];
      for (const [method, path, allow] of cases) {
        const answer = await request(relay.httpUrl + path, { method, headers });
        expect([answer.status, answer.headers.get("allow"), answer.body.error?.code, answer.body.error?.retry], path).to.deep.equal([
          405,
          allow,
          "unsupported",
          "never",
        ]);
        expect(answer.body.error?.message).to.include(`${method} is not offered here: use`);
      }
      for (const path of ["/v1/sites/5/nothing", "/v1/sites/5/publish/more", "/v1"]) {
        expect((await request(relay.httpUrl + path, { method: "POST", headers })).status, path).to.equal(404);
      }
    });

    it("those without the key, before it reads what they send", async () => {
      const relay = await stage.relay();
      const url = `${relay.httpUrl}/v1/sites/5/publish`;
      const { apiKey } = relay;
      const attempts: [authorization: string | undefined, code: string][] = [
        [undefined, "token-missing"],
        ["", "token-missing"],
        ["Bearer", "token-missing"],
        [`Basic ${Buffer.from(`x:${apiKey}`).toString("base64")}`, "token-missing"],
        [apiKey, "token-missing"],
        ["Bearer wrong", "token-invalid"],
        [`Bearer ${apiKey}x`, "token-invalid"],
        [`Bearer ${apiKey.slice(0, -1)}`, "token-invalid"],
      ];
      for (const [authorization, code] of attempts) {
        for (const body of ['{"topic":"news"}', "{broken"]) {
          const headers = { "content-type": "application/json", ...(authorization === undefined ? {} : { authorization }) };
          const answer = await request(url, { method: "POST", headers, body });
          expect([answer.status, answer.body.error?.code, answer.body.error?.retry], authorization).to.deep.equal([401, code, "refresh"]);
        }
      }
      for (const scheme of ["Bearer", "bearer", "BEARER"]) {
        const headers = { "content-type": "application/json", authorization: `${scheme} ${apiKey}` };
        expect((await request(url, { method: "POST", headers, body: '{"topic":"news"}' })).status).to.equal(200);
      }
    });

    it("a key on sites that it is not bound to", async () => {
      const [bound, free] = [randomBytes(16).toString("hex"), randomBytes(16).toString("hex")];
      const relay = await stage.relay({ file: { apiKeys: [{ key: bound, sites: ["acme", "beta"] }, { key: free }] } });
      for (const site of ["acme", "beta"]) expect((await post(relay, site, { topic: "news" }, { key: bound })).status).to.equal(200);
      const { status, body } = await post(relay, "5", { topic: "news" }, { key: bound });
      expect([status, body.error?.code, body.error?.retry]).to.deep.equal([403, "wrong-site", "never"]);
      for (const key of [free, relay.apiKey]) expect((await post(relay, "5", { topic: "news" }, { key })).status).to.equal(200);
      expect((await post(relay, "5", { topic: "news" }, { key: "unknown" })).body.error?.code).to.equal("token-invalid");
    });
  });

  describe("answers beside that", () => {
    it("healthz and readyz", async () => {
      const relay = await stage.relay();
      expect(await request(`${relay.httpUrl}/healthz`)).to.deep.include({ status: 200, body: { status: "alive" } });
      expect(await request(`${relay.httpUrl}/readyz`)).to.deep.include({ status: 200, body: { status: "ready", redis: "none" } });
    });

    it("readyz with 503 before the first contact with Redis, while healthz says alive", async () => {
      const relay = await stage.relay({ env: { REDIS_URL: `redis://127.0.0.1:${await stablePort()}` } });
      const { status, body } = await request(`${relay.httpUrl}/readyz`);
      expect([status, body.status, body.redis]).to.deep.equal([503, "starting", "down"]);
      expect((await request(`${relay.httpUrl}/healthz`)).status).to.equal(200);
    });

    it("metrics that count what happened", async () => {
      const relay = await stage.relay({ file: { topics: { chat: { publish: true } } } });
      const metric = async (name: string): Promise<number> => {
        const { text, headers } = await request(`${relay.httpUrl}/metrics`);
        expect(headers.get("content-type")).to.match(/^text\/plain/);
        const line = text.split("\n").find((each) => each.startsWith(`${name} `));
        return Number(line?.slice(name.length));
      };
      const client = await stage.connect(relay, { claims: { grants: [{ topic: "chat", publish: true }] } });
      await client.subscribe({ id: "1", topic: "news" }, { id: "2", topic: "other" });
      await publish(relay, "news", { id: 1 });
      for (let id = 1; id <= 3; id++) await client.emit("publish", { topic: "chat", data: { id } });
      await client.until(() => client.messages("news").length === 1);
      await client.emit("rpc", {});
      expect(await metric("bellwire_connections")).to.equal(1);
      expect(await metric("bellwire_subscriptions")).to.equal(2);
      expect(await metric("bellwire_sites")).to.equal(1);
      expect(await metric("bellwire_feeds"), "with those of user and session").to.equal(4);
      expect(await metric("bellwire_cached_messages")).to.equal(1);
      expect(await metric("bellwire_messages_heard_total")).to.equal(1);
      expect(await metric("bellwire_deliveries_total")).to.equal(1);
      expect(await metric("bellwire_published_total"), "over HTTP").to.equal(1);
      expect(await metric("bellwire_client_published_total")).to.equal(3);
      expect(await metric('bellwire_refusals_total{code="bad-request"}')).to.equal(1);
      client.close();
      await eventually(() => relay.relay.gateway?.connections.size === 0, "the client is gone");
      expect(await metric("bellwire_connections")).to.equal(0);
      expect(await metric("bellwire_subscriptions")).to.equal(0);
    });

    it("the browser's bundle, with an etag that saves sending it again", async () => {
      const relay = await stage.relay();
      const url = `${relay.httpUrl}/client.js`;
      const first = await request(url);
      expect(first.status, "npm run build makes the bundle").to.equal(200);
      expect(first.headers.get("content-type")).to.match(/^text\/javascript/);
      expect(first.headers.get("access-control-allow-origin")).to.equal("*");
      expect(first.text.length).to.be.above(1000);
      const etag = first.headers.get("etag") as string;
      expect(etag).to.match(/^"[^"]+"$/);
      for (const same of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
        const again = await request(url, { headers: { "if-none-match": same } });
        expect([again.status, again.text, again.headers.get("etag")], same).to.deep.equal([304, "", etag]);
      }
      expect((await request(url, { headers: { "if-none-match": '"other"' } })).status).to.equal(200);
    });

    it("an OpenAPI document that is valid, and names all that is answered", async () => {
      const relay = await stage.relay();
      const { status, body } = await request(`${relay.httpUrl}/v1/openapi.json`);
      expect(status).to.equal(200);
      const validator = new Validator();
      const result = await validator.validate(body);
      expect(result.errors, JSON.stringify(result.errors)).to.equal(undefined);
      expect(result.valid).to.equal(true);
      expect(validator.version).to.equal("3.1");
      for (const [path, methods] of Object.entries(body.paths as Record<string, object>)) {
        const url = relay.httpUrl + path.replace("{site}", "5").replace("{topic}", "news");
        for (const method of Object.keys(methods)) {
          const headers = { authorization: `Bearer ${relay.apiKey}` };
          expect((await request(url, { method: method.toUpperCase(), headers })).body.error?.code, path).not.to.equal("not-found");
        }
      }
    });
  });

  it("answers what is no request, or too large a one, in the same shape", async () => {
    const relay = await stage.relay();
    const answer = async (sent: string): Promise<string> => {
      const socket = connect(relay.port, "127.0.0.1");
      socket.write(sent);
      let text = "";
      for await (const chunk of socket) text += String(chunk);
      return text;
    };
    const large = await answer(`GET /healthz?${"x".repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`);
    expect(large)
      .to.match(/^HTTP\/1.1 431 /)
      .and.to.include('{"error":{"code":"too-large","message":"');
    expect(await answer("nonsense\r\n\r\n"))
      .to.match(/^HTTP\/1.1 400 /)
      .and.to.include('{"error":{"code":"bad-request","message":"');
    await publish(relay, "news", { id: 1 });
  });

  it("survives connections that are garbage, half-sent and dropped", async () => {
    const relay = await stage.relay();
    const head = "POST /v1/sites/5/publish HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n";
    for (const sent of [
      "\x16\x03\x01\x02",
      "GET",
      "GET / HTTP/9.9\r\n\r\n",
      `${head}\r\n{"topic"`,
      `${head}authorization: Bearer ${relay.apiKey}\r\n\r\n{`,
    ]) {
      const socket = connect(relay.port, "127.0.0.1");
      socket.on("error", () => undefined);
      await once(socket, "connect");
      await new Promise((resolve) => socket.write(sent, resolve));
      socket.destroy();
    }
    await publish(relay, "news", { id: 1 });
  });
});

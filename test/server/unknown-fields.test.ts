import { expect } from "chai";
import type { TestRelay } from "@bellwire/server/testing";
import { nearest } from "../../server/src/http/known-fields.js";
import { command } from "./controlled.js";
import { post, request, Stage, type Answer } from "./stage.js";

describe("a body of the HTTP API with a field that is not there", () => {
  const stage = Stage.forEachTest();

  function expectRefused({ status, body }: Answer, ...says: string[]): void {
    expect([status, body.error?.code, body.error?.retry]).to.deep.equal([400, "bad-request", "never"]);
    for (const words of says) expect(body.error?.message).to.include(words);
  }

  it("is refused, with the field and the nearest one that is there, and publishes nothing", async () => {
    const relay = await stage.relay();
    const wrong: [body: object, says: string[]][] = [
      [{ topic: "news", dat: { id: 5 } }, ['"dat"', '"data"']],
      [{ topic: "news", Data: {} }, ['"Data"', '"data"']],
      [{ topc: "news", data: {} }, ['"topc"', '"topic"']],
      [{ topic: "news", idempotency_key: "k" }, ['"idempotency_key"', '"idempotencyKey"']],
      [{ topic: "news", payload: {} }, ['"payload"', "its fields are topic, topics, user, session, data, idempotencyKey, except"]],
      [{ topic: "news", except: { usr: "ann" } }, ['"usr"', "except", '"user"']],
      [{ topic: "news", except: { nobody: null } }, ['"nobody"', "user, session, client"]],
      [{ message: [{ topic: "news" }] }, ['"message"', '"messages"']],
      [{ messages: [{ topic: "news" }], topic: "news" }, ["topic belongs into each"]],
      [{ topic: "news", ["x".repeat(5000)]: 1 }, ['"xxxx', '..."']],
      [JSON.parse('{"topic":"news","__proto__":{"data":{}}}') as object, ['"__proto__"']],
    ];
    for (const [body, says] of wrong) {
      const answer = await post(relay, "5", body);
      expectRefused(answer, ...says);
      expect(answer.text.length).to.be.below(500);
    }
    const { body } = await post(relay, "5", { topic: "news", data: {}, messages: null, except: null });
    expect(body.results?.[0]?.offset, "null counts as absent, and nothing went in before").to.equal(1);
  });

  it("sinks nothing but itself in a list of messages", async () => {
    const relay = await stage.relay();
    const { status, body } = await post(relay, "5", {
      messages: [{ topic: "a", data: {} }, { topic: "b", dat: {} }, { topic: "a" }],
    });
    expect(status).to.equal(200);
    expect(body.results?.map(({ topic, offset, error }) => [topic, error?.code ?? offset])).to.deep.equal([
      ["a", 1],
      ["b", "bad-request"],
      ["a", 2],
    ]);
    expect(body.results?.[1]?.error?.message).to.include('"dat"').and.to.include('"data"');
  });

  it("is refused by every command", async () => {
    const relay = await stage.relay();
    const wrong: [kind: string, body: object, says: string[]][] = [
      ["subscribe", { user: "ann", topic: "news", filtr: { id: 5 } }, ['"filtr"', '"filter"']],
      ["unsubscribe", { user: "ann", topics: "news" }, ['"topics"', '"topic"']],
      ["disconnect", { user: "ann", resaon: { code: 1 } }, ['"resaon"', '"reason"']],
      ["disconnect", { user: "ann", reason: { code: 1, text: "x" } }, ['"text"', "code, message"]],
      ["revoke", { user: "ann", sesion: "s" }, ['"sesion"', '"session"']],
      ["subscribe", { user: "ann", topic: "news", jti: "x" }, ['"jti"']],
    ];
    for (const [kind, body, says] of wrong) expectRefused(await command(relay, kind, body), ...says);
  });

  it("is refused in a query, too: a filter that is read over would let everything through", async () => {
    const relay = await stage.relay();
    const ask = (path: string): Promise<Answer> =>
      request(`${relay.httpUrl}/v1/sites/5/${path}`, { headers: { authorization: `Bearer ${relay.apiKey}` } });
    expectRefused(await ask("topics/news/history?filtr={}"), '"filtr"', '"filter"');
    expectRefused(await ask("topics/news/history?Limit=5"), '"Limit"', '"limit"');
    expectRefused(await ask("watched?topic=news&filters={}"), '"filters"', '"filter"');
    expect((await ask("topics/news/history?limit=5&filter={}")).status).to.equal(200);
  });

  it("and one of another type than JSON, is told what to send", async () => {
    const relay = await stage.relay();
    const send = (type: string | undefined, body: string | Uint8Array<ArrayBuffer> = '{"topic":"news"}'): Promise<Answer> =>
      request(url(relay), {
        method: "POST",
        headers: { authorization: `Bearer ${relay.apiKey}`, ...(type === undefined ? {} : { "content-type": type }) },
        body,
      });
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "text/xml", "nonsense"]) {
      expectRefused(await send(type), "Content-Type: application/json", `not "${type}"`);
    }
    // A body of bytes: fetch adds no type of its own.
    expectRefused(await send(undefined, new TextEncoder().encode("{}")), "Content-Type: application/json", "there is no Content-Type");
    for (const type of ["application/json", "application/json; charset=utf-8", "Application/JSON"]) {
      expect((await send(type)).status, type).to.equal(200);
    }
  });
});

function url(relay: TestRelay): string {
  return `${relay.httpUrl}/v1/sites/5/publish`;
}

describe("the nearest of several names", () => {
  const known = ["topic", "topics", "user", "session", "data", "idempotencyKey", "except"];

  it("is the one with the fewest letters to change, and none where too many differ", () => {
    const cases: [name: string, expected: string | undefined][] = [
      ["dta", "data"],
      ["dtaa", "data"],
      ["DATA", "data"],
      ["topcis", "topics"],
      ["idempotencykey", "idempotencyKey"],
      ["idempotency-key", "idempotencyKey"],
      ["users", "user"],
      ["id", undefined],
      ["x", undefined],
      ["", undefined],
      ["payload", undefined],
      ["y".repeat(1_000_000), undefined],
    ];
    for (const [name, expected] of cases) expect(nearest(name, known), name.slice(0, 20)).to.equal(expected);
  });
});

import { randomUUID } from "node:crypto";
import { expect } from "chai";
import fc from "fast-check";
import type { TestRelay } from "@bellwire/server/testing";
import { encodesRaw, RawJson, stringifyRaw } from "../../server/src/wire/raw-json.js";
import type { RawClient } from "../support/socket.js";
import { eventually, request, Stage } from "./stage.js";

/** Nothing of it is the same once JavaScript has read and written it. */
const DATA = '{"id":12345678901234567890,"price":1.10, "big":9007199254740993,"e":1E2,"text":"\\u0041 $& $1"}';

/** Every text that a client's transport hears. */
function heard(client: RawClient): string[] {
  const texts: string[] = [];
  client.socket.io.engine.on("packet", ({ data }: { data?: unknown }) => void (typeof data === "string" && texts.push(data)));
  return texts;
}

describe("a message's data arrives as it was published", () => {
  const stage = Stage.forEachTest();

  const append = (relay: TestRelay, topic: string): Promise<unknown> =>
    relay.relay.log.append({ site: "5", topic, data: DATA, id: randomUUID(), idempotent: false, retry: false }, 1000);

  it("live, replayed, on return, in the history, and in what the server subscribes", async () => {
    const relay = await stage.relay();
    for (const topic of ["news", "made"]) await append(relay, topic);
    const client = stage.client(relay, { claims: { grants: [{ topic: "*" }], subscriptions: [{ topic: "made" }] } });
    const texts = heard(client);
    await client.hello;
    const result = await client.emit<{ results: { epoch: string }[] }>("subscribe", [{ id: "replay", topic: "news" }]);
    const since = { epoch: result.results[0]?.epoch, offset: 0 };
    await client.emit("subscribe", [{ id: "return", topic: "news", since }]);
    await append(relay, "news");
    const having = (word: string): string[] => texts.filter((text) => text.includes(word) && text.includes(DATA));
    await eventually(() => having('["messages"').length === 1, "the live message");
    await eventually(() => having('["subscribed"').length === 1, "the server's subscription");
    expect(having('"id":"replay"')).to.have.length(1);
    expect(having('"id":"return"')).to.have.length(1);
    const answer = await request(`${relay.httpUrl}/v1/sites/5/topics/news/history`, {
      headers: { authorization: `Bearer ${relay.apiKey}` },
    });
    expect(answer.headers.get("content-type")).to.include("application/json");
    expect(answer.text.split(DATA)).to.have.length(3);
    expect(answer.body).to.deep.include({ offset: 2, complete: true });
  });
});

describe("raw JSON", () => {
  const plain = fc.jsonValue({ maxDepth: 3 });

  it("stands in what is written as it is, wherever it is put and whatever it holds", () => {
    fc.assert(
      fc.property(plain, fc.array(plain, { maxLength: 4 }), (around, raws) => {
        const texts = raws.map((raw) => ` ${JSON.stringify(raw)}`);
        const value = { around, list: texts.map((text) => [1, new RawJson(text)]) };
        const list = texts.map((text) => `[1,${text}]`).join(",");
        expect(stringifyRaw(value)).to.equal(`{"around":${JSON.stringify(around)},"list":[${list}]}`);
        expect(JSON.stringify(value), "by others as what it means").to.equal(JSON.stringify({ around, list: raws.map((raw) => [1, raw]) }));
      }),
    );
  });

  it("is no trouble to an encoder that fails, nor to what follows", () => {
    let fails = true;
    const encoder = {
      encode: (value: unknown): unknown[] => {
        const text = JSON.stringify(value);
        if (fails) throw new Error("no");
        return [text, Buffer.from("b")];
      },
    };
    encodesRaw(encoder);
    expect(() => encoder.encode([new RawJson(" 1")])).to.throw("no");
    expect(JSON.stringify([new RawJson(" 1")])).to.equal("[1]");
    fails = false;
    expect(encoder.encode([new RawJson(" 1")])).to.deep.equal(["[ 1]", Buffer.from("b")]);
  });
});

import type { Socket } from "node:net";
import { expect } from "chai";
import type { SubscribeResult, WireError } from "@bellwire/protocol";
import { connectToken } from "../support/tokens.js";
import { Packets } from "./packets.js";
import { codeOf, eventually, post, Stage } from "./stage.js";

const ANYTHING = { claims: { grants: [{ topic: "*" }] } };

describe("limits", () => {
  const stage = Stage.forEachTest();

  const items = (count: number, from = 0): object[] =>
    Array.from({ length: count }, (_, i) => ({ id: `i${from + i}`, topic: `t${i % 5}` }));

  it("hold for the subscriptions of a connection, item by item, and an unsubscribe makes room", async () => {
    const relay = await stage.relay({ file: { limits: { subscriptionsPerConnection: 3 } } });
    const client = await stage.connect(relay, ANYTHING);
    expect((await client.hello).limits).to.include({ subscriptions: 3 });
    const subscribe = async (list: object[]): Promise<SubscribeResult[]> =>
      (await client.emit<{ results: SubscribeResult[] }>("subscribe", list)).results;
    const results = await subscribe(items(5));
    expect(results.map(codeOf)).to.deep.equal(["accepted", "accepted", "accepted", "limit", "limit"]);
    expect(results[3]).to.have.nested.property("error.retry", "later");
    await client.emit("unsubscribe", ["i0"]);
    expect((await subscribe(items(2, 10))).map(codeOf)).to.deep.equal(["accepted", "limit"]);
    const another = await stage.connect(relay, ANYTHING);
    expect((await another.emit<{ results: SubscribeResult[] }>("subscribe", items(3))).results.map(codeOf)).not.to.include("limit");
  });

  it("count subscribes under way, too", async () => {
    const relay = await stage.relay({ file: { limits: { subscriptionsPerConnection: 3 } } });
    const client = await stage.connect(relay, ANYTHING);
    const replies = await Promise.all([0, 10, 20].map((from) => client.emit<{ results: SubscribeResult[] }>("subscribe", items(2, from))));
    const codes = replies.flatMap(({ results }) => results.map(codeOf));
    expect(codes.filter((code) => code === "accepted")).to.have.length(3);
    expect(codes.filter((code) => code === "limit")).to.have.length(3);
  });

  it("hold for the items of a frame, as a whole", async () => {
    const relay = await stage.relay({ file: { limits: { subscriptionsPerFrame: 2 } } });
    const client = await stage.connect(relay, ANYTHING);
    expect((await client.hello).limits).to.include({ subscriptionsPerFrame: 2 });
    expect(codeOf(await client.emit("subscribe", items(3)))).to.equal("limit");
    expect(codeOf(await client.emit("unsubscribe", ["a", "b", "c"]))).to.equal("limit");
    expect(codeOf(await client.emit("subscribe", items(2)))).to.equal("accepted");
    expect(relay.relay.subscriptions.count).to.equal(2);
  });

  it("take a thousand subscriptions in one frame by default, and as many on a connection", async () => {
    const relay = await stage.relay();
    const client = await stage.connect(relay, ANYTHING);
    expect(codeOf(await client.emit("subscribe", items(1001)))).to.equal("limit");
    const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", items(1000));
    expect(new Set(results.map(codeOf))).to.deep.equal(new Set(["accepted"]));
    const more = await client.emit<{ results: SubscribeResult[] }>("subscribe", items(1, 1000));
    expect(more.results.map(codeOf)).to.deep.equal(["limit"]);
  });

  it("hold for the bytes of a message's data", async () => {
    const relay = await stage.relay({ file: { limits: { dataBytes: 50 } } });
    const client = await stage.connect(relay, ANYTHING);
    expect((await client.hello).limits).to.include({ dataBytes: 50 });
    // {"t":"..."} is 8 bytes and the text; é is two.
    for (const [text, status] of [
      ["x".repeat(42), 200],
      ["x".repeat(43), 413],
      ["é".repeat(21), 200],
      ["é".repeat(22), 413],
    ] as const) {
      expect((await post(relay, "5", { topic: "news", data: { t: text } })).status, text).to.equal(status);
    }
  });

  it("hold for the frames that come at once, and say when to try again", async () => {
    const relay = await stage.relay();
    const client = await stage.connect(relay, ANYTHING);
    const replies = await Promise.all(Array.from({ length: 400 }, () => client.emit<{ error?: WireError }>("unsubscribe", [])));
    const refused = replies.flatMap(({ error }) => (error === undefined ? [] : [error]));
    expect(refused.length, "of 400, where 200 may come at once and 50 a second").to.be.within(1, 200);
    for (const error of refused) {
      expect(error).to.include({ code: "limit", retry: "later" });
      expect(error.after).to.be.within(1, 1000);
    }
    const another = await stage.connect(relay, ANYTHING);
    expect(codeOf(await another.emit("unsubscribe", []))).to.equal("accepted");
  });

  it("hold for the key combinations that filters of one topic use, counted once each, and freed with the last", async () => {
    const relay = await stage.relay();
    const client = await stage.connect(relay, ANYTHING);
    const shapes = (from: number, to: number): object[] =>
      Array.from({ length: to - from }, (_, i) => ({ id: `i${from + i}`, topic: "news", filter: { [`key${from + i}`]: 1 } }));
    const subscribe = async (list: object[]): Promise<string[]> =>
      (await client.emit<{ results: SubscribeResult[] }>("subscribe", list)).results.map(codeOf);
    expect(new Set(await subscribe(shapes(0, 64)))).to.deep.equal(new Set(["accepted"]));
    expect(await subscribe(shapes(64, 65))).to.deep.equal(["limit"]);
    expect(await subscribe([{ id: "same", topic: "news", filter: { key0: 2 } }])).to.deep.equal(["accepted"]);
    expect(await subscribe([{ id: "other", topic: "other", filter: { key99: 2 } }])).to.deep.equal(["accepted"]);
    await client.emit("unsubscribe", ["i5"]);
    expect(await subscribe(shapes(64, 65))).to.deep.equal(["accepted"]);
  });

  it("hold for what a filter may ask for", async () => {
    const relay = await stage.relay();
    const client = await stage.connect(relay, ANYTHING);
    const keys = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]));
    const values = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
    const filters: [filter: object, code: string][] = [
      [keys(8), "accepted"],
      [keys(9), "bad-request"],
      [keys(10_000), "bad-request"],
      [{ a: values(256) }, "accepted"],
      [{ a: values(257) }, "bad-request"],
      [{ a: values(16), b: values(16) }, "accepted"],
      [{ a: values(16), b: values(17) }, "bad-request"],
      [{ a: 2 ** 53 - 1 }, "accepted"],
      [{ a: 2 ** 53 }, "bad-request"],
      [{ a: "\ud800" }, "bad-request"],
      [{ constructor: 1 }, "bad-request"],
    ];
    const list = filters.map(([filter], i) => ({ id: `i${i}`, topic: `t${i}`, filter }));
    const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", list);
    filters.forEach(([filter, code], i) => expect(codeOf(results[i]), JSON.stringify(filter).slice(0, 100)).to.equal(code));
  });

  it("end a connection that sends more than a megabyte at once, and no other", async () => {
    const relay = await stage.relay();
    const witness = await stage.connect(relay, ANYTHING);
    const greedy = await stage.connect(relay, ANYTHING);
    const gone = new Promise((resolve) => greedy.socket.once("disconnect", resolve));
    greedy.socket.emit("subscribe", [{ id: "a", topic: "news", padding: "x".repeat(1_048_576) }]);
    await gone;
    expect(codeOf(await witness.emit("subscribe", items(1)))).to.equal("accepted");
  });

  it("end a connection that does not read what it asked for, while the others hear everything", async () => {
    const relay = await stage.relay({ file: { limits: { waitingBytes: 65_536 } } });
    const witness = await stage.connect(relay, ANYTHING);
    await witness.emit("subscribe", [{ id: "a", topic: "news" }]);
    const slow = await Packets.open(relay.url);
    stage.closeLater(() => slow.close());
    slow.send(`40/site/5,${JSON.stringify({ v: 1, token: connectToken(relay.appKey, ANYTHING.claims) })}`);
    await slow.find((packet) => packet.startsWith("42/site/5,"));
    slow.send('42/site/5,1["subscribe",[{"id":"a","topic":"news"}]]');
    await slow.find((packet) => packet.startsWith("43/site/5,1"));
    (slow.ws as unknown as { _socket: Socket })._socket.pause();
    // Past the API, so that few large messages fill what the system itself buffers.
    const data = JSON.stringify({ text: "x".repeat(40_000) });
    const append = (id: number): Promise<object> =>
      relay.relay.log.append({ site: "5", topic: "news", data, id: String(id), idempotent: false, retry: false }, 5000);
    let sent = 0;
    while (relay.relay.stats.slow === 0 && sent < 2000) {
      await append(sent++);
      await new Promise(setImmediate);
    }
    expect(relay.relay.stats.slow).to.equal(1);
    await eventually(() => relay.relay.gateway?.connections.size === 1, "the slow one is gone");
    await witness.until(() => witness.messages("news").length === sent);
    expect(witness.messages("news").map(([offset]) => offset)).to.deep.equal(Array.from({ length: sent }, (_, i) => i + 1));
  });
});

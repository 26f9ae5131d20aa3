import { connect } from "node:net";
import { expect } from "chai";
import type { TestRelay } from "@bellwire/server/testing";
import type { EventStream, StreamOptions } from "../support/event-stream.js";
import { connectToken, subscribeToken } from "../support/tokens.js";
import { HookBackend } from "./hooks-backend.js";
import { eventually, eventuallyAsked, publish, request, Stage } from "./stage.js";

const ALL = { grants: [{ topic: "*" }] };
const NEWS = { claims: ALL, subscribe: [{ topic: "news" }] };

describe("the end of a stream", () => {
  const stage = Stage.forEachTest();

  async function begin(relay: TestRelay, options: Partial<StreamOptions> = NEWS): Promise<EventStream> {
    const stream = await stage.stream(relay, options);
    await stream.until(() => stream.lastEventId !== "", "it begins");
    return stream;
  }

  async function command(relay: TestRelay, kind: string, body: object): Promise<void> {
    const { status, text } = await request(`${relay.httpUrl}/v1/sites/5/${kind}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${relay.apiKey}` },
      body: JSON.stringify(body),
    });
    expect(status, text).to.equal(200);
  }

  async function byeOf(stream: EventStream): Promise<object | undefined> {
    await stream.ended;
    expect(stream.events.at(-1)?.event).to.equal("bye");
    return stream.named("bye")[0];
  }

  it("by a disconnect is a bye that says why, after which nobody should be back for a day", async () => {
    const relay = await stage.relay();
    const stream = await begin(relay);
    await command(relay, "disconnect", { user: "ann", code: "forbidden", reason: { code: 7, message: "fired" } });
    expect(await byeOf(stream)).to.deep.include({ code: "forbidden", retry: "never", reason: { code: 7, message: "fired" } });
    expect(stream.retries.at(-1)).to.equal(86_400_000);
    await eventually(() => relay.relay.connections.size === 0, "it is gone from the relay");
  });

  it("by a revocation is a bye, whatever token it came with, and that token opens no other", async () => {
    const relay = await stage.relay();
    for (const [user, token] of [
      ["ann", connectToken(relay.appKey, { ...ALL, sub: "ann" })],
      ["ben", subscribeToken(relay.appKey, { sub: "ben", topic: "news" })],
    ] as const) {
      const stream = await begin(relay, { token, subscribe: [{ topic: "news" }] });
      await command(relay, "revoke", { user });
      expect(await byeOf(stream)).to.deep.include({ code: "revoked", retry: "refresh" });
      const again = await stage.stream(relay, { token, subscribe: [{ topic: "news" }] });
      expect([again.response.status, (await again.error()).code]).to.deep.equal([403, "revoked"]);
    }
  });

  it("comes with that of a subscription it was asked for", async () => {
    const relay = await stage.relay();
    const stream = await begin(relay, { claims: ALL, subscribe: [{ topic: "news" }, { topic: "other" }] });
    await command(relay, "unsubscribe", { user: "ann", topic: "news" });
    expect(await byeOf(stream)).to.deep.include({ code: "not-found" });
  });

  it("does not come with that of a subscription that the server made: the stream tells of it and goes on", async () => {
    const relay = await stage.relay();
    const stream = await begin(relay, { claims: { ...ALL, sid: "" }, subscribe: [{ topic: "other" }] });
    await command(relay, "subscribe", { user: "ann", topic: "news", filter: { id: 5 } });
    await stream.until(() => Buffer.from(stream.lastEventId, "base64url").toString().includes('"news"'), "it is made");
    await publish(relay, "news", { id: 5 });
    await stream.until(() => stream.messages.length === 1, "a message");
    await command(relay, "unsubscribe", { user: "ann", topic: "news" });
    await stream.until(() => stream.named("unsubscribed").length === 1, "its end is told");
    expect(stream.named("unsubscribed")[0]).to.deep.include({ topic: "news", filter: { id: 5 } });
    await publish(relay, "other", {});
    await stream.until(() => stream.messages.length === 2, "and the other goes on");
  });

  it("by until is to the second, of the connection or of what a subscribe token allowed", async () => {
    const relay = await stage.relay();
    const until = Math.ceil(Date.now() / 1000) + 1;
    for (const stream of [
      await begin(relay, { claims: { ...ALL, until }, subscribe: [{ topic: "news" }] }),
      await begin(relay, { token: subscribeToken(relay.appKey, { topic: "news", until }), subscribe: [{ topic: "news" }] }),
    ]) {
      expect(await byeOf(stream)).to.deep.include({ code: "token-expired", retry: "refresh" });
      expect(Date.now()).to.be.within(until * 1000 - 50, until * 1000 + 2000);
    }
  });

  it("by a hook that disconnects is an answer as long as nothing was written, although another hook still thinks", async () => {
    const relay = await (async () => {
      const backend = await HookBackend.open(stage, async ({ body }) => {
        if (body.topic === "slow") await new Promise((resolve) => setTimeout(resolve, 300));
        return body.topic === "slow" ? {} : { disconnect: { code: 4001, reason: "fired" } };
      });
      return stage.relay({ file: { hooks: { subscribe: { url: backend.url } } } });
    })();
    const stream = await stage.stream(relay, { subscribe: [{ topic: "slow" }, { topic: "news" }] });
    expect([stream.response.status, (await stream.error()).code]).to.deep.equal([403, "forbidden"]);
  });

  it("by its client leaves nothing behind, also in the middle of a question to the backend", async () => {
    let asked = (): void => undefined;
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    let answer = (_reply: object): void => undefined;
    const backend = await HookBackend.open(stage, () => {
      asked();
      return new Promise((resolve) => (answer = resolve));
    });
    const relay = await stage.relay({ file: { hooks: { subscribe: { url: backend.url } } } });
    const socket = connect(relay.port, "127.0.0.1");
    const query = new URLSearchParams({ subscribe: '[{"topic":"news"}]', token: connectToken(relay.appKey) });
    socket.write(`GET /v1/sites/5/events?${query.toString()} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await isAsked;
    socket.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    answer({});
    const other = await stage.connect(relay, { claims: ALL });
    await other.subscribe({ id: "a", topic: "other" });
    await eventually(() => relay.relay.subscriptions.count === 1 && relay.relay.connections.size === 1, "only the other one is there");
  });

  it("in a drain comes to each at a moment of its own, with when to be back, and newcomers are turned away", async () => {
    const relay = await stage.relay();
    const streams = await Promise.all(Array.from({ length: 4 }, () => begin(relay)));
    const drained = relay.relay.drain({ accept: 50, spread: 200, rate: 20 });
    for (const stream of streams) {
      await stream.until(() => stream.retries.length >= 2, "it is told when to come back");
      expect(await byeOf(stream)).to.deep.include({ code: "draining", retry: "later" });
    }
    const first = streams.map(({ retries }) => retries[1] as number);
    expect(new Set(first).size, `different for each: ${first.join()}`).to.be.greaterThan(1);
    await drained;
    const late = await stage.stream(relay, NEWS);
    expect([late.response.status, (await late.error()).code]).to.deep.equal([503, "draining"]);
  });

  it("is at once where the relay closes, without waiting for what never ends by itself", async () => {
    const relay = await stage.relay();
    const stream = await begin(relay);
    const begun = performance.now();
    await relay.close();
    expect(performance.now() - begun).to.be.lessThan(3000);
    expect(await byeOf(stream)).to.deep.include({ code: "draining" });
  });

  it("comes to whoever does not read, past a bound of waiting bytes, and holds nobody else up", async function () {
    this.timeout(30_000);
    const relay = await stage.relay({ file: { limits: { waitingBytes: 100_000 } } });
    const stuck = connect(relay.port, "127.0.0.1");
    stage.closeLater(() => stuck.destroy());
    const query = new URLSearchParams({ subscribe: '[{"topic":"flood"}]', token: connectToken(relay.appKey, ALL) });
    stuck.write(`GET /v1/sites/5/events?${query.toString()} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await new Promise((resolve) => stuck.once("data", resolve));
    stuck.pause();
    const reader = await begin(relay, { claims: ALL, subscribe: [{ topic: "flood" }] });
    const data = JSON.stringify({ pad: "x".repeat(4000) });
    let published = 0;
    while (relay.relay.stats.slow === 0) {
      await relay.relay.log.append({ site: "5", topic: "flood", data, id: String(published), idempotent: false, retry: false }, 1000);
      if (++published % 20 === 0) await reader.until(() => reader.messages.length === published, "the reader hears them");
      expect(published, "messages of 4 KB before the bound was noticed").to.be.lessThan(10_000);
    }
    await reader.until(() => reader.messages.length === published, "the reader has heard all");
    await eventually(() => relay.relay.connections.size === 1, "the stuck one is gone");
  });
});

describe("a stream is a connection like any", () => {
  const stage = Stage.forEachTest();

  it("to counts, presence and notices, and answers on the public port where the rest is inside", async () => {
    const backend = await HookBackend.open(stage);
    const file = {
      topics: { news: { presence: true } },
      hooks: { notices: { url: backend.url, events: ["connected", "disconnected"] } },
    };
    const relay = await stage.relay({ file, env: { REALTIME_INTERNAL_PORT: "0" } });
    const base = `http://127.0.0.1:${relay.relay.internalPort}`;
    const headers = { authorization: `Bearer ${relay.apiKey}` };
    const stream = await stage.stream(relay, NEWS);
    expect(stream.isStream).to.equal(true);
    const { body } = await request(`${base}/v1/counts`, { headers });
    expect(body).to.deep.include({ connections: 1, subscriptions: 1, sites: 1 });
    const presence = async (): Promise<string> => (await request(`${base}/v1/sites/5/topics/news/presence`, { headers })).text;
    await eventuallyAsked(async () => (await presence()) === '{"users":[{"user":"ann"}],"count":1}', "its user is present");
    const told = (): Record<string, unknown>[] => backend.asked.flatMap((each) => each.body.events as Record<string, unknown>[]);
    await eventually(() => told().length === 1, "its beginning is told");
    stream.close();
    await eventually(() => told().length === 2, "its end is told");
    expect(told().map(({ event, user, reason }) => [event, user, reason])).to.deep.equal([
      ["connected", "ann", undefined],
      ["disconnected", "ann", "transport close"],
    ]);
    expect((await request(`${relay.httpUrl}/v1/counts`, { headers })).status).to.equal(404);
    expect((await request(`${base}/v1/sites/5/events`)).status).to.equal(404);
  });

  it("and says that it is there while nothing happens, to proxies on the way", async () => {
    const relay = await stage.relay({ timing: { comment: 1000 } });
    const stream = await stage.stream(relay, NEWS);
    await stream.until(() => stream.comments === 2, "comments");
  });
});

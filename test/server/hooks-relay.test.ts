import { expect } from "chai";
import type { Subscribed, WireError } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import { HookBackend } from "./hooks-backend.js";
import { publish, request, Stage } from "./stage.js";

describe("a relay with hooks", function () {
  this.timeout(20_000);
  const stage = Stage.forEachTest();

  function relayWith(hooks: object, more: { topics?: object; grace?: number } = {}): Promise<TestRelay> {
    const { topics = {}, grace } = more;
    return stage.relay({ file: { hooks, topics }, ...(grace === undefined ? {} : { timing: { grace } }) });
  }

  it("asks its backend who connects, with the headers that may be passed on and no others", async () => {
    const backend = await HookBackend.open(stage, ({ body }) => (body.event === "connect" ? { user: "ann", info: { name: "Ann" } } : {}));
    const relay = await relayWith({ headers: ["cookie", "x-shown"], connect: { url: backend.url }, subscribe: { url: backend.url } });
    const client = stage.client(relay, { auth: { v: 1, client: "page-1", data: { a: 1 } } });
    client.socket.io.opts.extraHeaders = { cookie: "sid=7", "x-shown": "yes", "x-hidden": "no" };
    client.socket.disconnect().connect();
    const hello = await new Promise<{ user: string }>((resolve) => void client.socket.once("hello", resolve));
    expect(hello.user).to.equal("ann");
    const asked = backend.asked.find(
      ({ body }) => body.event === "connect" && (body.headers as Record<string, string>)["x-shown"] !== undefined,
    );
    expect(asked?.body).to.deep.include({ v: 1, event: "connect", site: "5", client: "page-1", data: { a: 1 } });
    expect(asked?.body.headers).to.deep.equal({ cookie: "sid=7", "x-shown": "yes" });
    const reply = await client.emit<{ results: Subscribed[] }>("subscribe", [{ id: "1", topic: "news", filter: { id: 5 } }]);
    expect(reply.results[0]).to.include({ id: "1", resync: false });
    expect(backend.asked.at(-1)?.body).to.deep.include({
      event: "subscribe",
      user: "ann",
      topic: "news",
      filter: { id: 5 },
      info: { name: "Ann" },
    });
    await publish(relay, "news", { id: 5 });
    await client.until(() => client.messages("news").length === 1);
  });

  it("calls methods of backends and of an application over HTTP, and keeps a 422's body", async () => {
    const backend = await HookBackend.open(stage, ({ url, body, text }, response) => {
      if (url.startsWith("/hooks")) return body.method === "ping" ? { data: "pong" } : { error: { code: "unknown" } };
      if (url === "/news/store" && text === "{}") {
        response.writeHead(422, { "content-type": "application/json" }).end('{"errors":{"title":"is missing"}}');
        return undefined;
      }
      return { stored: true, url };
    });
    const relay = await relayWith({
      rpc: [
        { methods: ["ping"], url: backend.url },
        { http: `${backend.origin}/`, allow: ["get:users/*", "post:news/store"] },
      ],
    });
    const client = await stage.connect(relay);
    expect((await client.hello).features).to.include("rpc");
    expect(await client.emit("rpc", { method: "ping" })).to.deep.equal({ data: "pong" });
    expect(await client.emit("rpc", { method: "get:users/7", data: { full: 1 } })).to.deep.include({ status: 200 });
    expect(backend.asked.at(-1)).to.include({ method: "GET", url: "/users/7?full=1" });
    expect(await client.emit("rpc", { method: "post:news/store", data: {} })).to.deep.equal({
      status: 422,
      data: { errors: { title: "is missing" } },
    });
    for (const method of ["delete:users/7", "get:admin", "get:users/../admin", "pong"]) {
      expect((await client.emit<{ error: WireError }>("rpc", { method })).error.code, method).to.equal("not-found");
    }
  });

  it("delivers as ever while its backend is dead or hangs, and tells those who ask in time", async () => {
    const hanging = await HookBackend.open(stage, () => new Promise(() => undefined));
    const relay = await relayWith({
      subscribe: [
        { topics: ["slow"], url: hanging.url, timeout: "300ms" },
        { topics: ["dead"], url: "http://127.0.0.1:9/hooks" },
      ],
    });
    const client = await stage.connect(relay);
    await client.subscribe({ id: "1", topic: "news", replay: false });
    const questions = ["slow", "dead"].map((topic) =>
      client.emit<{ results: { error: WireError }[] }>("subscribe", [{ id: topic, topic }]),
    );
    await publish(relay, "news", { id: 1 });
    await client.until(() => client.messages("news").length === 1);
    const codes = (await Promise.all(questions)).map(({ results }) => results[0]?.error.code);
    expect(codes).to.deep.equal(["timeout", "unavailable"]);
    const { text } = await request(`${relay.httpUrl}/metrics`);
    expect(text).to.match(/bellwire_hook_questions_total\{event="subscribe",outcome="timeout"\} 1/);
  });

  it("keeps a connection for a grace while the refresh hook is away, and closes it then with token-expired", async () => {
    let away = true;
    const backend = await HookBackend.open(stage, ({ body }, response) => {
      if (body.event === "connect") return { user: String(body.data), until: Date.now() / 1000 + 1 };
      if (!away) return { until: Date.now() / 1000 + 600 };
      response.writeHead(503).end();
      return undefined;
    });
    const relay = await relayWith({ connect: { url: backend.url }, refresh: { url: backend.url, retries: 0 } }, { grace: 1.5 });
    const lost = await stage.connect(relay, { auth: { v: 1, data: "lost" } });
    const until = (await lost.hello).until as number;
    const bye = await new Promise<WireError>((resolve) => void lost.socket.once("bye", resolve));
    expect(bye.code).to.equal("token-expired");
    expect(Date.now() / 1000).to.be.within(until + 1.4, until + 3);

    const saved = await stage.connect(relay, { auth: { v: 1, data: "saved" } });
    await new Promise((resolve) => void saved.socket.once("expiring", resolve));
    away = false;
    await new Promise((resolve) => void saved.socket.once("tickets", resolve));
    expect(saved.socket.connected).to.equal(true);
  });
});

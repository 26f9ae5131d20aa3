import { expect } from "chai";
import { createLogger, createRelay, disconnect, refuse, type RelayInProcess, type RelayInProcessOptions } from "@bellwire/server";
import type { Subscribed, WireError } from "@bellwire/protocol";
import { RawClient } from "../support/socket.js";
import { connectToken } from "../support/tokens.js";

const APP_KEY = "k".repeat(40);

type Bye = WireError;

describe("a relay in the application's process", function () {
  this.timeout(15_000);
  const relays: RelayInProcess[] = [];
  const clients: RawClient[] = [];

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all(relays.splice(0).map((relay) => relay.close()));
  });

  async function start(options: RelayInProcessOptions = {}): Promise<RelayInProcess> {
    const env = { APP_KEY, REALTIME_WS_PORT: "0", REALTIME_WS_HOST: "127.0.0.1", REALTIME_API_KEY: "a".repeat(20), ...options.env };
    const relay = createRelay({ logger: createLogger({ write: () => undefined }), ...options, env });
    relays.push(relay);
    await relay.start();
    return relay;
  }

  function client(relay: RelayInProcess | string, auth: object = { v: 1 }, more: object = {}): RawClient {
    const url = typeof relay === "string" ? relay : `http://127.0.0.1:${relay.port}`;
    const made = new RawClient({ url, appKey: APP_KEY, auth, ...more });
    clients.push(made);
    return made;
  }

  async function refusal(made: RawClient): Promise<WireError> {
    return made.hello.then(
      () => expect.fail("admitted"),
      (error: { data: WireError }) => error.data,
    );
  }

  const byName = { connect: ({ data }: { data: unknown }) => ({ user: (data as { name: string }).name, info: { shown: true } }) };

  it("admits connections by its connect hook, without tokens, and by tickets afterwards without asking", async () => {
    let asked = 0;
    const relay = await start({
      hooks: {
        connect: ({ data, claims, site }) => {
          asked++;
          if (claims !== undefined) return { user: `token of ${String(claims.sub)}` };
          const { name } = data as { name?: string };
          if (name === "nobody") return { error: { code: 17, message: "not today" } };
          if (name === "banned") throw disconnect("banned", "for good");
          return {
            user: `${String(name)}@${site}`,
            session: "s9",
            until: Date.now() / 1000 + 600,
            grants: [{ topic: "open.*", filter: {} }],
          };
        },
      },
    });
    const ann = client(relay, { v: 1, data: { name: "ann" } });
    const hello = await ann.hello;
    expect(hello).to.include({ user: "ann@5", session: "s9" }).and.have.property("until");
    const [open, closed] = await ann
      .emit<{ results: [Subscribed, { error: WireError }] }>("subscribe", [
        { id: "1", topic: "open.news" },
        { id: "2", topic: "closed" },
      ])
      .then(({ results }) => results);
    expect(open).to.include({ offset: 0, resync: false });
    expect(closed.error.code).to.equal("token-missing");
    const back = client(relay, { v: 1, ticket: hello.ticket });
    expect((await back.hello).user).to.equal("ann@5");
    expect(asked).to.equal(1);
    expect((await client(relay, { v: 1, token: connectToken(APP_KEY) }).hello).user).to.equal("token of ann");
    expect(await refusal(client(relay, { v: 1, data: { name: "nobody" } }))).to.deep.include({
      code: "rejected",
      reason: { code: 17, message: "not today" },
    });
    expect(await refusal(client(relay, { v: 1, data: { name: "banned" } }))).to.deep.include({
      code: "forbidden",
      reason: { code: "banned", message: "for good" },
    });
    expect((await refusal(client(relay, { v: 1, token: "no token" }))).code).to.equal("token-invalid");
  });

  it("makes the subscriptions that a connect reply lists, and has them again after a return by ticket", async () => {
    const relay = await start({
      hooks: { connect: () => ({ user: "ann", subscriptions: [{ topic: "lobby", filter: { room: 1 } }] }) },
    });
    const ann = client(relay);
    const subscribed = new Promise<Record<string, unknown>>((resolve) => {
      ann.socket.on("subscribed", (one: Record<string, unknown>) => one.topic === "lobby" && resolve(one));
    });
    expect(await subscribed).to.deep.include({ topic: "lobby", filter: { room: 1 }, resync: false });
    const { ticket } = await ann.hello;
    ann.close();
    const back = client(relay, { v: 1, ticket });
    const again = new Promise<Record<string, unknown>>((resolve) => {
      back.socket.on("subscribed", (one: Record<string, unknown>) => one.topic === "lobby" && resolve(one));
    });
    expect(await again).to.deep.include({ topic: "lobby", filter: { room: 1 } });
  });

  it("decides about subscriptions by rules and by the subscribe hook", async () => {
    const relay = await start({
      hooks: {
        ...byName,
        subscribe: ({ topic, filter }) => {
          if (topic === "kick") throw disconnect("bad manners");
          return filter.id === 5 || { error: { code: 1, message: "not yours" } };
        },
      },
      topics: { "user.{uuid}": ({ uuid }, user) => user.id === uuid },
    });
    const ann = client(relay, { v: 1, data: { name: "ann" } });
    await ann.hello;
    const { results } = await ann.emit<{ results: { id: string; error?: WireError }[] }>("subscribe", [
      { id: "own", topic: "user.ann" },
      { id: "other", topic: "user.bob" },
      { id: "five", topic: "contact", filter: { id: 5 } },
      { id: "six", topic: "contact", filter: { id: 6 } },
    ]);
    expect(results.map(({ error }) => error?.code)).to.deep.equal([undefined, "forbidden", undefined, "rejected"]);
    expect(results[3]?.error?.reason).to.deep.equal({ code: 1, message: "not yours" });

    const kicked = new Promise<Bye>((resolve) => void ann.socket.once("bye", resolve));
    await ann.emit("subscribe", [{ id: "kick", topic: "kick" }]);
    expect(await kicked).to.deep.include({ code: "forbidden", reason: { code: "bad manners" } });
  });

  it("asks the subscribe hook again before a subscription's end, and ends it when the answer is no", async () => {
    let asked = 0;
    const relay = await start({
      hooks: { ...byName, subscribe: () => (++asked === 1 ? { until: Date.now() / 1000 + 1.5 } : { error: { code: "over" } }) },
    });
    const ann = client(relay, { v: 1, data: { name: "ann" } });
    await ann.hello;
    const ended = new Promise<{ id: string; error: WireError }>((resolve) => void ann.socket.once("unsubscribed", resolve));
    await ann.emit("subscribe", [{ id: "1", topic: "news" }]);
    const { id, error } = await ended;
    expect([id, error.code, asked]).to.deep.equal(["1", "token-expired", 2]);
    expect(ann.socket.connected).to.equal(true);
  });

  it("asks no more about a subscription that ended while it was asked about", async () => {
    const asked: string[] = [];
    let answer = (): void => undefined;
    const relay = await start({
      hooks: {
        ...byName,
        subscribe: ({ topic }) => {
          asked.push(topic);
          const until = Date.now() / 1000 + 0.8;
          if (asked.filter((each) => each === topic).length === 1) return { until };
          if (topic === "control") return { error: { code: "over" } };
          return new Promise((resolve) => {
            answer = () => resolve({ until });
          });
        },
      },
    });
    const ann = client(relay, { v: 1, data: { name: "ann" } });
    await ann.hello;
    await ann.emit("subscribe", [{ id: "1", topic: "news" }]);
    while (asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await ann.emit("unsubscribe", ["1"]);
    answer();
    // A further one lives and ends, by which time the first would have been asked about again.
    const ended = new Promise((resolve) => void ann.socket.once("unsubscribed", resolve));
    await ann.emit("subscribe", [{ id: "2", topic: "control" }]);
    await ended;
    expect(asked).to.deep.equal(["news", "news", "control", "control"]);
  });

  it("admits nobody by an answer that was given before a revocation", async () => {
    let asked = (): void => undefined;
    const asking = new Promise<void>((resolve) => (asked = resolve));
    let answer: (reply: { user: string }) => void = () => undefined;
    const relay = await start({
      hooks: {
        connect: () => {
          asked();
          return new Promise((resolve) => (answer = resolve));
        },
      },
    });
    const ann = client(relay);
    // Refused, or ended at once where the relay learns of the revocation a moment later.
    const refused = new Promise<WireError>((resolve) => {
      ann.socket.once("connect_error", (error) => resolve((error as Error & { data: WireError }).data));
      ann.socket.once("bye", resolve);
    });
    await asking;
    await relay.emitter.site("5").user("ann").revoke();
    answer({ user: "ann" });
    expect((await refused).code).to.equal("revoked");
  });

  it("asks the refresh hook before a connection's end, goes on with a new one, and closes when the answer is no", async () => {
    let asked = 0;
    const relay = await start({
      hooks: {
        connect: () => ({ user: "ann", until: Date.now() / 1000 + 1.2 }),
        refresh: ({ user }) => (++asked === 1 && user === "ann" ? { until: Date.now() / 1000 + 2 } : { error: { code: "gone" } }),
      },
    });
    const ann = client(relay);
    const first = (await ann.hello).until as number;
    const tickets = new Promise((resolve) => void ann.socket.once("tickets", resolve));
    const bye = new Promise<Bye>((resolve) => void ann.socket.once("bye", resolve));
    await tickets;
    expect(asked).to.equal(1);
    expect((await bye).code).to.equal("token-expired");
    expect(Date.now() / 1000).to.be.above(first + 0.5);
    expect(asked).to.equal(2);
  });

  it("puts client publishes through its publish hook, which may refuse, change or keep them", async () => {
    const relay = await start({
      settings: { topics: { "room.*": { publish: true } } },
      hooks: {
        ...byName,
        subscribe: () => ({}),
        publish: ({ data, user }) => {
          if (data.text === "") return { error: { code: "empty", message: "say something" } };
          if (data.text === "/secret") return { handled: true };
          return { data: { ...data, by: user } };
        },
      },
    });
    const [ann, bob] = ["ann", "bob"].map((name) => client(relay, { v: 1, data: { name } })) as [RawClient, RawClient];
    await Promise.all([ann.hello, bob.hello]);
    expect((await ann.hello).features).to.include("publish");
    await bob.emit("subscribe", [{ id: "1", topic: "room.1" }]);
    expect(await ann.emit("publish", { topic: "room.1", data: { text: "hi" } })).to.have.property("offset", 1);
    expect(await ann.emit("publish", { topic: "room.1", data: { text: "/secret" } })).to.deep.equal({ handled: true });
    const empty = await ann.emit<{ error: WireError }>("publish", { topic: "room.1", data: { text: "" } });
    expect(empty.error).to.deep.include({ code: "rejected", reason: { code: "empty", message: "say something" } });
    expect((await ann.emit<{ error: WireError }>("publish", { topic: "other", data: {} })).error.code).to.equal("forbidden");
    await bob.until(() => bob.messages("room.1").length === 1);
    expect(bob.messages("room.1")[0]?.[2]).to.deep.equal({ text: "hi", by: "ann" });
  });

  it("answers methods by handlers, and an unknown one with not-found", async () => {
    const relay = await start({ hooks: byName });
    relay.handle("ping", () => "pong");
    relay.handle("math.*", ({ method, data }) => {
      const [a, b] = data as [number, number];
      if (method === "math.add") return a + b;
      throw refuse("no-such-operation", method);
    });
    const ann = client(relay, { v: 1, data: { name: "ann" } });
    await ann.hello;
    expect(await ann.emit("rpc", { method: "ping" })).to.deep.equal({ data: "pong" });
    expect(await ann.emit("rpc", { method: "math.add", data: [2, 3] })).to.deep.equal({ data: 5 });
    const wrong = await ann.emit<{ error: WireError }>("rpc", { method: "math.divide", data: [2, 0] });
    expect(wrong.error).to.deep.include({ code: "rejected", reason: { code: "no-such-operation", message: "math.divide" } });
    expect((await ann.emit<{ error: WireError }>("rpc", { method: "nothing" })).error.code).to.equal("not-found");
  });

  it("runs interceptors around every event, in order", async () => {
    const seen: string[] = [];
    const relay = await start({
      hooks: { ...byName, subscribe: () => ({}) },
      interceptors: {
        "*": async (context, next) => {
          seen.push(`${context.event} begins`);
          const reply = await next();
          seen.push(`${context.event} ends`);
          return reply;
        },
        rpc: (context, next) => (context.user === "ann" ? next() : { error: { code: "only-ann" } }),
      },
    });
    relay.handle("ping", () => "pong");
    const [ann, bob] = ["ann", "bob"].map((name) => client(relay, { v: 1, data: { name } })) as [RawClient, RawClient];
    await ann.hello;
    await bob.hello;
    seen.length = 0;
    await ann.emit("subscribe", [{ id: "1", topic: "news" }]);
    expect(await ann.emit("rpc", { method: "ping" })).to.deep.equal({ data: "pong" });
    expect(seen).to.deep.equal(["subscribe begins", "subscribe ends", "rpc begins", "rpc ends"]);
    expect((await bob.emit<{ error: WireError }>("rpc", { method: "ping" })).error.reason).to.deep.equal({ code: "only-ann" });
  });

  it("publishes and controls without a way over HTTP, to users too", async () => {
    const relay = await start({ hooks: { ...byName, subscribe: () => ({}) } });
    const ann = client(relay, { v: 1, data: { name: "ann" } });
    const personal = new Promise<void>((resolve) => {
      ann.socket.on("subscribed", ({ topic }: { topic: string }) => topic === "$user" && resolve());
    });
    await personal;
    await ann.emit("subscribe", [{ id: "1", topic: "news" }]);
    const site = relay.emitter.site("5");
    await site.publish("news", { id: 1 });
    await site.user("ann").publish({ for: "ann" });
    await ann.until(() => ann.messages("news").length === 1 && ann.messages("$user").length === 1);
    const bye = new Promise<Bye>((resolve) => void ann.socket.once("bye", resolve));
    await site.user("ann").disconnect({ reason: { code: "out" } });
    expect((await bye).reason).to.deep.equal({ code: "out" });
  });
});

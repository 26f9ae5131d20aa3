import { randomBytes } from "node:crypto";
import { expect } from "chai";
import type { SubscribeResult } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import { type RawClient, refusal } from "../support/socket.js";
import { connectToken, now, subscribeToken } from "../support/tokens.js";
import { codeOf, publish, Stage, subscribed } from "./stage.js";

describe("tickets", () => {
  const stage = Stage.forEachTest();
  const realNow = Date.now;
  afterEach(() => {
    Date.now = realNow;
  });

  /** Moves this process's clock, and so the relay's. Clients that are connected take it for a sleep and close. */
  function later(seconds: number): void {
    Date.now = () => realNow() + seconds * 1000;
  }

  async function connectCode(relay: TestRelay, auth: object, site = "5"): Promise<string> {
    const client = stage.client(relay, { site, auth: { v: 1, ...auth } });
    return client.hello.then(
      () => {
        client.close();
        return "accepted";
      },
      async () => (await refusal(client)).code,
    );
  }

  async function ask(client: RawClient, item: object): Promise<SubscribeResult> {
    const reply = await client.emit<{ results: SubscribeResult[] }>("subscribe", [{ id: `i${Math.random()}`, ...item }]);
    return reply.results[0] as SubscribeResult;
  }

  /** A connection's ticket, and one of a subscription to news with the filter {id: 5, type: "a"}. */
  async function tickets(relay: TestRelay, claims: object = {}, site = "5"): Promise<{ connection: string; subscription: string }> {
    const client = await stage.connect(relay, { claims, site });
    const { ticket: connection } = await client.hello;
    const [result] = await client.subscribe({ id: "1", topic: "news", filter: { id: 5, type: "a" } });
    const { ticket: subscription } = subscribed(result);
    client.close();
    return { connection: connection as string, subscription: subscription as string };
  }

  it("bring a client back without any token, on every relay that has the key", async () => {
    const relay = await stage.relay();
    const other = await stage.relay({ env: { APP_KEY: relay.appKey } });
    const { connection, subscription } = await tickets(relay);
    for (const each of [relay, other]) {
      const client = await stage.connect(each, { auth: { v: 1, ticket: connection } });
      expect(await client.hello).to.include({ user: "ann", session: "s1" });
      const result = await ask(client, { topic: "news", filter: { type: "a", id: [5] }, ticket: subscription });
      expect(subscribed(result).ticket).to.be.a("string");
      await publish(each, "news", { id: 5, type: "a" });
      await client.until(() => client.messages("news").length === 1);
    }
  });

  it("carry the connection's grants, until and anonymity along", async () => {
    const relay = await stage.relay();
    const until = now() + 100;
    const client = await stage.connect(relay, { claims: { sub: "", until, grants: [{ topic: "a.*", filter: { id: [1, 2] } }] } });
    const back = await stage.connect(relay, { auth: { v: 1, ticket: (await client.hello).ticket } });
    expect(await back.hello).to.include({ user: null, session: "s1", until });
    expect(codeOf(await ask(back, { topic: "a.b", filter: { id: 1 } }))).to.equal("accepted");
    expect(codeOf(await ask(back, { topic: "a.b", filter: { id: 3 } }))).to.equal("token-missing");
  });

  it("hold for their own site, user, session, topic and filter alone", async () => {
    const relay = await stage.relay();
    const { connection, subscription } = await tickets(relay);
    expect(await connectCode(relay, { ticket: connection }, "6")).to.equal("token-invalid");
    const good = { topic: "news", filter: { id: 5, type: "a" }, ticket: subscription };
    const ann = await stage.connect(relay);
    for (const change of [
      { topic: "new" },
      { filter: { id: 5 } },
      { filter: { id: "5", type: "a" } },
      { filter: { id: [5, 6], type: "a" } },
      { filter: { id: 5, type: "a", more: 1 } },
      { filter: {} },
    ]) {
      expect(codeOf(await ask(ann, { ...good, ...change })), JSON.stringify(change)).to.equal("token-invalid");
    }
    expect(codeOf(await ask(ann, good))).to.equal("accepted");
    for (const claims of [{ sub: "bob" }, { sid: "s2" }, { sub: "" }, { sub: "s1", sid: "ann" }]) {
      const client = await stage.connect(relay, { claims });
      expect(codeOf(await ask(client, good)), JSON.stringify(claims)).to.equal("token-invalid");
    }
    const elsewhere = await stage.connect(relay, { site: "6" });
    expect(codeOf(await ask(elsewhere, good))).to.equal("token-invalid");
  });

  it("that are none are refused", async () => {
    const relay = await stage.relay();
    const { connection, subscription } = await tickets(relay);
    const [kind, body, mac] = connection.split(".") as [string, string, string];
    const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as object;
    const promoted = Buffer.from(JSON.stringify({ ...claims, u: "bob" })).toString("base64url");
    const prolonged = subscription.replace(/~\d[\d.]*/, `~${now() + 86_400}`);
    expect(prolonged).not.to.equal(subscription);
    const none: unknown[] = ["", "x", "c1", "c1..", "s1..", "...", 5, {}, [], true, "x".repeat(20_000)];
    none.push(
      `${kind}.${promoted}.${mac}`,
      `${kind}.${body}.`,
      `${connection}.x`,
      `s1.${body}.${mac}`,
      prolonged,
      connectToken(relay.appKey),
    );
    const client = await stage.connect(relay);
    for (const ticket of [...none, subscription]) {
      expect(await connectCode(relay, { ticket }), JSON.stringify(ticket).slice(0, 100)).to.equal("token-invalid");
    }
    for (const ticket of [...none, connection]) {
      const result = await ask(client, { topic: "news", filter: { id: 5, type: "a" }, ticket });
      expect(codeOf(result), JSON.stringify(ticket).slice(0, 100)).to.equal("token-invalid");
    }
    for (const ticket of [null, undefined]) expect(await connectCode(relay, { ticket })).to.equal("token-missing");
  });

  it("do not stand for tokens", async () => {
    const relay = await stage.relay();
    const { connection, subscription } = await tickets(relay);
    expect(await connectCode(relay, { token: connection })).to.equal("token-invalid");
    const client = await stage.connect(relay);
    expect(codeOf(await ask(client, { topic: "news", token: subscription }))).to.equal("token-invalid");
  });

  it("that do not hold leave it to the token", async () => {
    const relay = await stage.relay({ file: { tickets: { life: "60s" } } });
    const { connection, subscription } = await tickets(relay);
    later(61);
    const token = connectToken(relay.appKey);
    for (const ticket of [connection, "bad", 5]) expect(await connectCode(relay, { ticket, token })).to.equal("accepted");
    expect(await connectCode(relay, { ticket: connection, token: "bad" })).to.equal("token-invalid");
    const client = await stage.connect(relay);
    const granted = subscribeToken(relay.appKey, { grants: [{ topic: "news" }] });
    for (const ticket of [subscription, "bad", 5]) {
      const item = { topic: "news", filter: { id: 5, type: "a" }, ticket };
      expect(codeOf(await ask(client, { ...item, token: granted }))).to.equal("accepted");
      expect(codeOf(await ask(client, { ...item, token: subscribeToken(relay.appKey, { topic: "other" }) }))).to.equal("forbidden");
    }
  });

  it("expire after their life, five minutes unless told", async () => {
    for (const [file, life] of [
      [{}, 300],
      [{ tickets: { life: "10s" } }, 10],
    ] as const) {
      const relay = await stage.relay({ file });
      const { connection, subscription } = await tickets(relay);
      const item = { topic: "news", filter: { id: 5, type: "a" }, ticket: subscription };
      later(life - 5);
      expect(await connectCode(relay, { ticket: connection })).to.equal("accepted");
      expect(codeOf(await ask(await stage.connect(relay), item))).to.equal("accepted");
      later(life + 1);
      expect(await connectCode(relay, { ticket: connection })).to.equal("token-expired");
      expect(codeOf(await ask(await stage.connect(relay), item))).to.equal("token-expired");
      Date.now = realNow;
    }
  });

  it("never outlive the token's until, nor 24 hours after it was issued", async () => {
    const relay = await stage.relay({ file: { tickets: { life: "7d" } } });
    const [short, long] = [await tickets(relay, { until: now() + 100 }), await tickets(relay)];
    later(95);
    expect(await connectCode(relay, { ticket: short.connection })).to.equal("accepted");
    later(101);
    expect(await connectCode(relay, { ticket: short.connection })).to.equal("token-expired");
    const item = { topic: "news", filter: { id: 5, type: "a" } };
    expect(codeOf(await ask(await stage.connect(relay), { ...item, ticket: short.subscription }))).to.equal("token-expired");
    later(86_390);
    // A ticket that a ticket brought is bound to the first authorization, too.
    const back = await stage.connect(relay, { auth: { v: 1, ticket: long.connection } });
    const { ticket } = await back.hello;
    expect(codeOf(await ask(back, { ...item, ticket: long.subscription }))).to.equal("accepted");
    later(86_402);
    for (const old of [long.connection, ticket]) expect(await connectCode(relay, { ticket: old })).to.equal("token-expired");
    expect(codeOf(await ask(await stage.connect(relay), { ...item, ticket: long.subscription }))).to.equal("token-expired");
  });

  it("are renewed well before they expire, for the connection and each of its subscriptions", async () => {
    const relay = await stage.relay({ file: { tickets: { life: "4s" } } });
    const client = await stage.connect(relay, { claims: { grants: [{ topic: "*" }] } });
    const first = (await client.hello).ticket;
    await ask(client, { id: "a", topic: "news", filter: { id: 5 } });
    await ask(client, { id: "b", topic: "other" });
    await ask(client, { id: "gone", topic: "third" });
    await client.emit("unsubscribe", ["gone"]);
    const began = Date.now();
    const [list] = await new Promise<[[string | null, string][]]>((resolve) =>
      client.socket.once("tickets", (...args) => resolve(args as never)),
    );
    expect(Date.now() - began, "before the first expires").to.be.below(4000);
    const renewed = new Map(list);
    expect([...renewed.keys()]).to.have.members([null, "a", "b"]);
    expect(renewed.get(null)).not.to.equal(first);
    // Their end moved with them: they still hold when the first does not.
    later((began - Date.now()) / 1000 + 4.5);
    expect(await connectCode(relay, { ticket: first })).to.equal("token-expired");
    const back = await stage.connect(relay, { auth: { v: 1, ticket: renewed.get(null) } });
    expect(codeOf(await ask(back, { topic: "news", filter: { id: 5 }, ticket: renewed.get("a") }))).to.equal("accepted");
    expect((await back.hello).user).to.equal("ann");
  });

  it("are not given where their life is 0", async () => {
    const relay = await stage.relay({ file: { tickets: { life: 0 } } });
    const client = await stage.connect(relay);
    expect((await client.hello).ticket).to.equal(null);
    const [result] = await client.subscribe({ id: "1", topic: "news" });
    expect(subscribed(result).ticket).to.equal(null);
    const { connection } = await tickets(await stage.relay({ env: { APP_KEY: relay.appKey } }));
    expect(await connectCode(relay, { ticket: connection }), "of another relay").to.equal("token-invalid");
  });

  it("survive a rotation of keys while the old one is listed", async () => {
    const [old, fresh] = [0, 1].map(() => `base64:${randomBytes(32).toString("base64")}`) as [string, string];
    const { connection, subscription } = await tickets(await stage.relay({ env: { APP_KEY: old } }));
    const rotated = await stage.relay({ env: { APP_KEY: fresh, APP_PREVIOUS_KEYS: old } });
    expect(await connectCode(rotated, { ticket: connection })).to.equal("accepted");
    const client = await stage.connect(rotated, { auth: { v: 1, ticket: connection } });
    expect(codeOf(await ask(client, { topic: "news", filter: { id: 5, type: "a" }, ticket: subscription }))).to.equal("accepted");
    expect(await connectCode(await stage.relay({ env: { APP_KEY: fresh } }), { ticket: connection })).to.equal("token-invalid");
  });

  it("of a site with keys of its own are signed with those", async () => {
    const own = `base64:${randomBytes(32).toString("base64")}`;
    const file = { sites: { acme: { keys: [own] } } };
    const relay = await stage.relay({ file });
    const client = await stage.connect(relay, { site: "acme", appKey: own });
    const { ticket } = await client.hello;
    expect(await connectCode(await stage.relay({ file }), { ticket }, "acme"), "whatever APP_KEY is").to.equal("accepted");
    expect(await connectCode(await stage.relay({ env: { APP_KEY: relay.appKey } }), { ticket }, "acme")).to.equal("token-invalid");
  });
});

import { once } from "node:events";
import { expect } from "chai";
import type { Hello } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import { type RawClient, refusal } from "../support/socket.js";
import { connectToken, now } from "../support/tokens.js";
import { Packets } from "./packets.js";
import { codeOf, eventually, namespacesOf, publish, Stage } from "./stage.js";

/** What socket.io itself keeps. */
const ALWAYS = ["/", "/control"];

describe("connecting", () => {
  const stage = Stage.forEachTest();

  async function packets(relay: TestRelay): Promise<Packets> {
    const opened = await Packets.open(relay.url);
    stage.closeLater(() => opened.close());
    return opened;
  }

  it("begins with hello, which tells who the relay takes the client for, its limits and its clock", async () => {
    const relay = await stage.relay();
    const events: unknown[] = [];
    const client = stage.client(relay, { claims: { until: now() + 3600 } });
    client.socket.onAny((...event: unknown[]) => events.push(event));
    const hello = await client.hello;
    await client.subscribe({ id: "1", topic: "news" });
    await publish(relay, "news", { id: 1 });
    await client.until(() => events.length > 1);
    expect(events[0]).to.deep.equal(["hello", hello]);
    const { time, ticket, client: id, ...rest } = hello;
    expect(Math.abs(time - Date.now())).to.be.below(5000);
    expect(ticket).to.be.a("string");
    expect(id).to.match(/^.{1,128}$/);
    expect(rest).to.deep.equal({
      v: 1,
      user: "ann",
      session: "s1",
      until: rest.until,
      limits: { subscriptions: 1000, subscriptionsPerFrame: 1000, dataBytes: 4096, frameBytes: 1_048_576 },
      features: ["personal", "refresh"],
    });
    expect(rest.until).to.be.within(now() + 3500, now() + 3600);
  });

  it("keeps the client's own id for the page, and makes one where it has none that can be used", async () => {
    const relay = await stage.relay();
    const helloOf = async (client: unknown): Promise<Hello> =>
      (await stage.connect(relay, { auth: { v: 1, token: connectToken(relay.appKey), client } })).hello;
    expect((await helloOf("page-1")).client).to.equal("page-1");
    for (const unusable of [undefined, null, 5, "", {}, "x".repeat(129), "\ud800"]) {
      const { client } = await helloOf(unusable);
      expect(client, JSON.stringify(unusable)).to.match(/^[0-9a-f-]{36}$/);
    }
  });

  it("works by polling, and by an upgrade from polling", async () => {
    const relay = await stage.relay();
    for (const transports of [["polling"], ["polling", "websocket"]]) {
      const client = await stage.connect(relay, { transports });
      await client.subscribe({ id: "1", topic: "news", filter: { via: transports.length } });
      await publish(relay, "news", { via: transports.length });
      await client.until(() => client.messages("news").length > 0);
      const { engine } = client.socket.io;
      if (transports.length === 1) expect(engine.transport.name).to.equal("polling");
      else if (engine.transport.name !== "websocket") await new Promise<void>((resolve) => engine.once("upgrade", () => resolve()));
    }
  });

  it("ignores fields of the handshake that it does not know, and refuses another version", async () => {
    const relay = await stage.relay();
    const token = connectToken(relay.appKey);
    await stage.connect(relay, { auth: { token, colour: "red", since: [{ strange: 1 }], data: { a: [1] } } });
    await stage.connect(relay, { auth: { v: "1", token } }); // Java's auth is a map of strings
    for (const v of [2, "2", "01", 0, null, {}]) {
      const error = await refusal(stage.client(relay, { auth: { v, token } }));
      expect(error.code, JSON.stringify(v)).to.equal("unsupported");
      expect(error.retry).to.equal("never");
    }
  });

  it("refuses / and /control, other namespaces and names that are no site's, with an error in err.data", async () => {
    const relay = await stage.relay();
    const codes: Record<string, string> = { "/": "forbidden", "/control": "forbidden" };
    const unknown = ["/admin", "/site", "/site/", "/site/a b", "/site/5/6", "/sites/5", "/site/$user", "/site/é", "/SITE/5", "/__proto__"];
    for (const namespace of [...unknown, "/constructor", `/site/${"x".repeat(65)}`, `/${"x".repeat(5000)}`]) codes[namespace] = "not-found";
    for (const [namespace, code] of Object.entries(codes)) {
      const error = await refusal(stage.client(relay, { namespace }));
      expect(error, namespace.slice(0, 80)).to.deep.include({ code, retry: "never" });
      expect(error.message).to.be.a("string");
    }
    await stage.connect(relay);
    expect([...namespacesOf(relay).keys()]).to.have.members([...ALWAYS, "/site/5"]);
  });

  it("takes a site name of 64 characters of every allowed kind", async () => {
    const relay = await stage.relay();
    const site = `${"aZ09_-".repeat(10)}abcd`;
    expect(site).to.have.length(64);
    await stage.connect(relay, { site });
  });

  it("refuses in the same words whether or not the site's namespace is open", async () => {
    const relay = await stage.relay({ file: { anonymous: false } });
    await stage.connect(relay);
    const refusedAuths: Record<string, (site: string) => object> = {
      "token-missing": () => ({ v: 1 }),
      "token-invalid": (site) => ({ v: 1, token: connectToken("another key, also of thirty-two bytes or more", { site }) }),
      "token-expired": (site) => ({ v: 1, token: connectToken(relay.appKey, { site, exp: now() - 1 }) }),
      "wrong-site": () => ({ v: 1, token: connectToken(relay.appKey, { site: "third" }) }),
      "too-large": () => ({ v: 1, token: "x".repeat(20_000) }),
      forbidden: (site) => ({ v: 1, token: connectToken(relay.appKey, { site, sub: "" }) }),
      unsupported: (site) => ({ v: 9, token: connectToken(relay.appKey, { site }) }),
    };
    const errorOf = async (site: string, auth: object): Promise<object> => {
      const client = stage.client(relay, { site, auth });
      const error = (await client.hello.catch((reason: unknown) => reason)) as Error & { data: unknown };
      client.close();
      return { name: error.name, message: error.message, data: error.data };
    };
    for (const [code, auth] of Object.entries(refusedAuths)) {
      const open = await errorOf("5", auth("5"));
      const closed = await errorOf("6", auth("6"));
      expect(open, code).to.deep.equal(closed);
      expect(open).to.have.nested.property("data.code", code);
    }
  });

  it("leaves no namespace behind after 500 refusals on random sites, nor when a site's last client goes", async () => {
    const relay = await stage.relay();
    const witness = await stage.connect(relay, { site: "witness" });
    const namespaces = namespacesOf(relay);
    for (let round = 0; round < 10; round++) {
      const refused = Array.from({ length: 50 }, (_, i) =>
        refusal(stage.client(relay, { site: `random-${round}-${i}`, auth: { v: 1, token: i % 2 === 0 ? "bad" : undefined } })),
      );
      for (const { code } of await Promise.all(refused)) expect(code).to.match(/^token-(invalid|missing)$/);
    }
    await eventually(() => namespaces.size === 3, "only the witness's namespace is left");
    expect(relay.relay.gateway?.siteCount).to.equal(1);

    const pair = [await stage.connect(relay, { site: "6" }), await stage.connect(relay, { site: "6" })];
    expect([...namespaces.keys()]).to.include("/site/6");
    pair[0]?.close();
    await eventually(() => relay.relay.gateway?.connections.size === 2, "one of the two is gone");
    expect([...namespaces.keys()]).to.include("/site/6");
    pair[1]?.close();
    witness.close();
    await eventually(() => namespaces.size === 2, "the namespaces of both sites are gone");
    expect([...namespaces.keys()]).to.have.members(ALWAYS);
    expect(relay.relay.gateway?.siteCount).to.equal(0);
  });

  it("keeps every admitted client within reach while others of its site are refused, come and go", async () => {
    const relay = await stage.relay();
    const good: RawClient[] = [];
    for (let round = 0; round < 20; round++) {
      const refused = Array.from({ length: 3 }, () => refusal(stage.client(relay, { auth: { v: 1, token: "bad" } })));
      const passing = stage.client(relay);
      passing.hello.then(
        () => passing.close(),
        () => undefined,
      );
      good.push(stage.client(relay));
      await Promise.all([...refused, passing.hello]);
      if (round % 2 === 1) good.shift()?.close();
    }
    await Promise.all(good.map((client) => client.hello));
    await Promise.all(good.map((client) => client.subscribe({ id: "1", topic: "news", replay: false })));
    await publish(relay, "news", { id: 1 });
    await Promise.all(good.map((client) => client.until(() => client.messages("news").length === 1)));
  });

  it("keeps a site's namespace for a client whose token is still being checked while others are refused", async () => {
    const relay = await stage.relay();
    for (let round = 0; round < 20; round++) {
      const [good, ...bad] = (await Promise.all(Array.from({ length: 4 }, () => packets(relay)))) as [Packets, ...Packets[]];
      const site = `site-${round}`;
      good.send(`40/site/${site},${JSON.stringify({ v: 1, token: connectToken(relay.appKey, { site }) })}`);
      for (const each of bad) each.send(`40/site/${site},{}`);
      await good.find((packet) => packet.startsWith("42"));
      await Promise.all(bad.map((each) => each.find((packet) => packet.startsWith("44"))));
      expect([...namespacesOf(relay).keys()]).to.include(`/site/${site}`);
    }
    expect(relay.relay.gateway?.siteCount).to.equal(20);
  });

  it("refuses a second namespace on the same connection, and goes on with the first", async () => {
    const relay = await stage.relay();
    const client = await stage.connect(relay);
    await client.subscribe({ id: "1", topic: "news" });
    for (const namespace of ["/site/6", "/site/nobody", "/", "/control", "/admin"]) {
      const second = client.socket.io.socket(namespace, { auth: { v: 1, token: connectToken(relay.appKey, { site: "6" }) } });
      const error = await new Promise<{ data?: { code: string; retry: string } }>((resolve, reject) => {
        second.once("connect_error", resolve);
        second.once("connect", () => reject(new Error(`${namespace} was let in`)));
      });
      expect(error.data?.retry, namespace).to.equal("never");
      if (namespace.startsWith("/site/")) expect(error.data?.code).to.equal("bad-request");
      second.close();
    }
    expect([...namespacesOf(relay).keys()]).to.have.members([...ALWAYS, "/site/5"]);
    await publish(relay, "news", { id: 1 });
    await client.until(() => client.messages("news").length === 1);
  });

  it("lets one of several namespaces in that are asked for at once on one connection", async () => {
    const relay = await stage.relay();
    const raw = await packets(relay);
    const sites = ["5", "5", "6", "7"];
    raw.send(...sites.map((site) => `40/site/${site},${JSON.stringify({ v: 1, token: connectToken(relay.appKey, { site }) })}`));
    await raw.find(() => raw.received.filter((packet) => /^4[04]/.test(packet)).length === sites.length);
    expect(raw.received.filter((packet) => packet.startsWith("40"))).to.have.length(1);
    expect(raw.received.filter((packet) => packet.startsWith("44") && packet.includes('"bad-request"'))).to.have.length(3);
    expect(relay.relay.gateway?.connections.size).to.equal(1);
  });

  it("closes a connection that asks again for the namespace it holds", async () => {
    const relay = await stage.relay();
    const raw = await packets(relay);
    const connect = `40/site/5,${JSON.stringify({ v: 1, token: connectToken(relay.appKey) })}`;
    raw.send(connect);
    await raw.find((packet) => packet.startsWith('42/site/5,["hello"'));
    const closed = once(raw.ws, "close");
    raw.send(connect);
    await closed;
    await eventually(() => relay.relay.gateway?.connections.size === 0, "the connection is gone");
  });

  it("lets a connection try again after a refusal, and enter another site after it left the first", async () => {
    const relay = await stage.relay();
    const raw = await packets(relay);
    const connect = (site: string, token = connectToken(relay.appKey, { site })): void =>
      raw.send(`40/site/${site},${JSON.stringify({ v: 1, token })}`);
    connect("5", "bad");
    await raw.find((packet) => packet.startsWith("44/site/5,"));
    connect("5");
    await raw.find((packet) => packet.startsWith("40/site/5,"));
    raw.send("41/site/5,");
    connect("6");
    await raw.find((packet) => packet.startsWith("40/site/6,"));
    expect(relay.relay.gateway?.connections.size).to.equal(1);
    await eventually(() => relay.relay.gateway?.siteCount === 1, "the first site's namespace is gone");
  });

  it("keeps sites apart: the same topic on two sites is two topics", async () => {
    const relay = await stage.relay();
    const [five, six] = [await stage.connect(relay), await stage.connect(relay, { site: "6" })];
    for (const client of [five, six]) await client.subscribe({ id: "1", topic: "news" }, { id: "2", topic: "end" });
    await publish(relay, "news", { of: "five" });
    await publish(relay, "news", { of: "six" }, {}, "6");
    for (const site of ["5", "6"]) await publish(relay, "end", {}, {}, site);
    for (const client of [five, six]) await client.until(() => client.messages("end").length === 1);
    expect(five.messages("news").map(([, , data]) => data)).to.deep.equal([{ of: "five" }]);
    expect(six.messages("news").map(([, , data]) => data)).to.deep.equal([{ of: "six" }]);
    const [late] = await (await stage.connect(relay, { site: "7" })).subscribe({ id: "1", topic: "news" });
    expect(late).to.deep.include({ offset: 0, messages: [], resync: false });
  });

  it("ignores events that it does not know, says so where an ack is asked for, and refuses calls that nothing allows or answers", async () => {
    const relay = await stage.relay();
    const client = await stage.connect(relay);
    for (const name of ["error", "messages", "hello", "__proto__", "toString", "", "x".repeat(1000)]) client.socket.emit(name, { a: 1 });
    for (const name of ["publish", "rpc", "presence"]) {
      for (const request of [
        undefined,
        null,
        {},
        [],
        5,
        "x",
        { topic: 5, method: 5 },
        { topic: "x".repeat(200), method: "x".repeat(200) },
      ]) {
        expect(codeOf(await client.emit(name, request)), name).to.equal("bad-request");
      }
    }
    expect(codeOf(await client.emit("publish", { topic: "news", data: {} }))).to.equal("forbidden");
    expect(codeOf(await client.emit("publish", { topic: "$user", data: {} }))).to.equal("forbidden");
    expect(codeOf(await client.emit("presence", { topic: "news" }))).to.equal("forbidden");
    expect(codeOf(await client.emit("rpc", { method: "ping" }))).to.equal("unsupported");
    expect(codeOf(await client.emit("refresh", {}))).to.equal("token-missing");
    for (const name of ["no-such-event", "error", "__proto__", "toString", ""]) {
      expect(codeOf(await client.emit(name, {})), name).to.equal("unsupported");
    }
    const answers = await Promise.all(Array.from({ length: 300 }, () => client.emit("no-such-event")));
    expect(new Set(answers.map(codeOf)), "they count as any other frame").to.include("limit");
  });
});

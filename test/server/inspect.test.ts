import { expect } from "chai";
import type { Namespace } from "socket.io";
import { BellwireError } from "@bellwire/protocol";
import type { Connection } from "../../server/src/connection/connection.js";
import { Ring } from "../../server/src/feed/ring.js";
import { Message } from "../../server/src/feed/message.js";
import { Inspector, type Page, type PageQuery } from "../../server/src/observe/inspect.js";
import { Journal } from "../../server/src/observe/journal.js";
import { command } from "./controlled.js";
import { eventually, namespacesOf, publish, Stage } from "./stage.js";

const NO_FEEDS = { open: () => [], now: () => Date.now() };

/** All items, page by page. */
function all<T>(read: (query: PageQuery) => Page<T>, limit: number): T[] {
  const items: T[] = [];
  for (let after: string | undefined; ;) {
    const page: Page<T> = read({ after, limit });
    items.push(...page.items);
    if (page.next === undefined) return items;
    expect(page.items).to.have.length(limit);
    after = page.next;
  }
}

describe("inspecting a relay", () => {
  const stage = Stage.forEachTest();

  it("shows connections, sites and topics as they are now", async () => {
    const relay = await stage.relay({ file: { personal: false } });
    const [ann, bob] = [
      await stage.connect(relay, { claims: { sub: "ann" } }),
      await stage.connect(relay, { claims: { sub: "bob" }, site: "6" }),
    ];
    await ann.subscribe({ id: "1", topic: "Bell", filter: { id: 5 } }, { id: "2", topic: "Bell" }, { id: "3", topic: "Quiet" });
    await bob.subscribe({ id: "1", topic: "Bell" });
    for (let i = 0; i < 6; i++) await publish(relay, "Bell", { id: i });
    await ann.until(() => ann.messages("Bell").length === 6);
    const inspect = relay.relay.inspect();
    const { items } = inspect.connections();
    expect(items.map(({ site, user, subscriptions }) => [site, user, subscriptions])).to.deep.equal([
      ["5", "ann", 3],
      ["6", "bob", 1],
    ]);
    expect(inspect.connections({ user: "bob" }).items).to.deep.equal(items.slice(1));
    expect(inspect.connections({ site: "5" }).items).to.deep.equal(items.slice(0, 1));
    expect(inspect.sites().items).to.deep.equal([
      { site: "5", connections: 1, subscriptions: 3 },
      { site: "6", connections: 1, subscriptions: 1 },
    ]);
    const topics = inspect.topics({ site: "5" }).items;
    expect(topics.map(({ topic, audience, cached, live }) => [topic, audience, cached, live])).to.deep.equal([
      ["Bell", 1, 6, true],
      ["Quiet", 1, 0, true],
    ]);
    expect(topics.map(({ rate }) => rate)).to.deep.equal([0.1, 0]);
    expect(topics[0]?.head?.offset).to.equal(6);
    bob.close();
    await eventually(() => inspect.sites().items.length === 1, "the site is gone with its last connection");
  });

  it("tells the story of a connection, also when it is gone, and why the relay ended it", async () => {
    const relay = await stage.relay({ file: { personal: false } });
    const client = await stage.connect(relay, { claims: { sub: "ann" } });
    await client.subscribe({ id: "1", topic: "Bell", filter: { id: 5 } }, { id: "2", topic: "Other" });
    await client.emit("unsubscribe", ["2"]);
    const inspect = relay.relay.inspect();
    const id = inspect.connections().items[0]?.id as string;
    const story = inspect.connection(id);
    expect(story?.connection?.user).to.equal("ann");
    expect(story?.subscriptions).to.deep.equal([{ id: "1", topic: "Bell", filter: { id: 5 }, held: false, until: null }]);
    const happened = (): unknown[] =>
      inspect.connection(id)?.happenings.map(({ event, topic, code }) => [event, topic ?? code].filter(Boolean)) ?? [];
    const opened = [["opened"], ["subscribed", "Bell"], ["subscribed", "Other"], ["unsubscribed", "Other"]];
    expect(happened()).to.deep.equal(opened);
    await command(relay, "disconnect", { user: "ann", code: "forbidden" });
    await eventually(() => inspect.connections().items.length === 0, "it is gone");
    expect(happened()).to.deep.equal([...opened, ["closed", "forbidden"]]);
    expect(inspect.connection(id)).to.include({ connection: undefined });
    expect(inspect.connection("nobody's")).to.equal(undefined);
  });

  it("never saw a connection that was revoked on its way in, neither come nor go", async () => {
    const relay = await stage.relay({ file: { personal: false } });
    await stage.connect(relay, { claims: { sub: "bob" } });
    let revoked = false;
    for (const [name, namespace] of namespacesOf(relay)) {
      if (name !== "/site/5") continue;
      (namespace as Namespace).use((_socket, next) => {
        void command(relay, "revoke", { user: "ann" }).then(() => setImmediate(() => next()));
        revoked = true;
      });
    }
    const late = stage.client(relay);
    const bye = new Promise<{ code: string }>((resolve) => late.socket.once("bye", resolve));
    expect((await bye).code).to.equal("revoked");
    expect(revoked).to.equal(true);
    const inspect = relay.relay.inspect();
    await eventually(() => relay.relay.connections.size === 1, "it is gone");
    expect(inspect.sites().items).to.deep.equal([{ site: "5", connections: 1, subscriptions: 0 }]);
  });

  it("shows fifty thousand connections by the page, each once, and looks at no more than it shows", () => {
    let looks = 0;
    const connections = new Set<Connection>();
    const connect = (number: number): void => {
      const [id, site] = [`c${number}`, `site${number % 7}`];
      const permit = { until: undefined };
      const made = {
        id,
        site,
        number,
        user: "",
        session: "",
        client: "p",
        openedAt: 0,
        permit,
        get subscriptions() {
          looks++;
          return new Map();
        },
      };
      connections.add(made as unknown as Connection);
    };
    for (let number = 1; number <= 50_000; number++) connect(number);
    const inspector = new Inspector({ connections, feeds: NO_FEEDS });
    const { items, next } = inspector.connections({ after: "49000", limit: 100 });
    expect([items[0]?.id, items.length, next, looks]).to.deep.equal(["c49001", 100, "49100", 100]);
    expect(inspector.connections({ site: "site3", limit: 2 }).items.map(({ id }) => id)).to.deep.equal(["c3", "c10"]);
    expect(new Set(all((query) => inspector.connections(query), 1000).map(({ id }) => id)).size).to.equal(50_000);
    // Who the last page ended with has gone, and somebody new has come.
    for (const one of connections) if (one.id === "c1000") connections.delete(one);
    connect(50_001);
    expect(inspector.connections({ after: "1000", limit: 1 }).items.map(({ id }) => id)).to.deep.equal(["c1001"]);
    expect(inspector.connections({ after: "50000" }).items.map(({ id }) => id)).to.deep.equal(["c50001"]);
  });

  it("refuses a page that can't be, with what to do", () => {
    const inspector = new Inspector({ connections: new Set(), feeds: NO_FEEDS });
    for (const query of [
      { limit: 0 },
      { limit: 1001 },
      { limit: 1.5 },
      { limit: Number.NaN },
      { after: "" },
      { after: "-1" },
      { after: "x" },
    ])
      for (const read of [() => inspector.connections(query), () => inspector.sites(query), () => inspector.topics(query)])
        expect(read, JSON.stringify(query)).to.throw(BellwireError).with.property("code", "bad-request");
  });

  it("keeps a bounded number of happenings, the newest", () => {
    const journal = new Journal(10);
    for (let i = 0; i < 25; i++) journal.add({ time: i, connection: `c${i % 2}`, event: "subscribed" });
    expect(journal.of("c0", 50).map(({ time }) => time)).to.deep.equal([16, 18, 20, 22, 24]);
    expect(journal.of("c1", 2).map(({ time }) => time)).to.deep.equal([21, 23]);
    expect(new Journal().of("c0", 50)).to.deep.equal([]);
  });

  it("counts a topic's messages of the last minute without looking at each", () => {
    const ring = new Ring();
    const messages = Array.from({ length: 100 }, (_, i) => new Message({ offset: i + 1, time: i, data: "{}", except: undefined }));
    ring.reset(100, messages, true, { messages: 100, bytes: 1e6 });
    for (let i = 100; i < 180; i++)
      ring.push(new Message({ offset: i + 1, time: i, data: "{}", except: undefined }), { messages: 100, bytes: 1e6 });
    expect([-1, 79, 80, 150, 178, 179, 500].map((time) => ring.countAfter(time))).to.deep.equal([100, 100, 99, 29, 1, 0, 0]);
  });
});

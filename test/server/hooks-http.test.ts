import { createHmac } from "node:crypto";
import { expect } from "chai";
import type { BellwireError } from "@bellwire/protocol";
import { Disconnected } from "../../server/src/hooks/hooks.js";
import { APP_KEY, asker, codeOfRefusal, connecting, HookBackend, hooksOf, isSigned, raw, refusalOf, subscribing } from "./hooks-backend.js";
import { Stage } from "./stage.js";

describe("hooks over HTTP", () => {
  const stage = Stage.forEachTest();

  describe("ask", () => {
    it("one POST for each event, with what the event adds", async () => {
      const backend = await HookBackend.open(stage, ({ body }) => (body.event === "refresh" ? { until: null } : { user: "42" }));
      const { url } = backend;
      const { hooks } = await hooksOf(stage, { connect: { url }, refresh: { url }, subscribe: { url }, publish: { url }, rpc: { url } });
      const who = { v: 1, site: "5", user: "42", session: "s1", client: "c1", connection: "socket1", headers: { cookie: "a=b" } };
      const me = asker({ headers: { cookie: "a=b" } });
      await hooks.connect({ ...me, data: { x: 1 }, claims: { sub: "42" } });
      await hooks.refresh({ ...me, info: { name: "Ann" } });
      await hooks.subscribe({ ...me, topic: "news", filter: { id: [1, 2] } });
      await hooks.publish({ ...me, topic: "chat", data: { text: "hi" } });
      await hooks.rpc({ ...me, method: "ping", data: [1] });
      expect(backend.asked.map(({ body }) => body)).to.deep.equal([
        { ...who, event: "connect", data: { x: 1 }, claims: { sub: "42" } },
        { ...who, event: "refresh", info: { name: "Ann" } },
        { ...who, event: "subscribe", topic: "news", filter: { id: [1, 2] }, params: {} },
        { ...who, event: "publish", topic: "chat", params: {}, data: { text: "hi" } },
        { ...who, event: "rpc", method: "ping", data: [1] },
      ]);
      for (const { method, url: path, headers } of backend.asked) {
        expect([method, path, headers["content-type"]]).to.deep.equal(["POST", "/hooks", "application/json"]);
      }
      expect(hooks.features).to.deep.equal(["connect", "refresh", "subscribe", "publish", "rpc"]);
    });

    it("about nobody with empty texts, and without what there is not", async () => {
      const backend = await HookBackend.open(stage, () => ({ user: null }));
      const { hooks } = await hooksOf(stage, { connect: { url: backend.url } });
      await hooks.connect(connecting({ data: undefined }));
      expect(backend.asked[0]?.body).to.deep.equal({
        ...{ v: 1, event: "connect", site: "5", user: "", session: "", client: "c1", connection: "socket1", headers: {}, data: null },
      });
    });

    it("nobody where nothing is configured", async () => {
      const { hooks } = await hooksOf(stage, {});
      expect(hooks.connect(connecting())).to.equal(undefined);
      expect(hooks.refresh(asker())).to.equal(undefined);
      expect(hooks.subscribe(subscribing("news"))).to.equal(undefined);
      expect(hooks.publish({ ...asker(), topic: "news", data: {} })).to.equal(undefined);
      expect(hooks.rpc({ ...asker(), method: "ping", data: null })).to.equal(undefined);
      expect(hooks.features).to.deep.equal([]);
    });

    it("over connections that are kept", async () => {
      const backend = await HookBackend.open(stage);
      const { hooks } = await hooksOf(stage, { subscribe: { url: backend.url } });
      for (let i = 0; i < 20; i++) await hooks.subscribe(subscribing(`t${i}`));
      expect(backend.asked).to.have.length(20);
      // A second one, while the first is just being handed back.
      expect(Math.max(...backend.asked.map(({ connection }) => connection))).to.be.at.most(2);
    });

    it("the first backend that fits the topic or method, and the site", async () => {
      const [a, b, c] = [await HookBackend.open(stage), await HookBackend.open(stage), await HookBackend.open(stage)];
      const { hooks } = await hooksOf(stage, {
        subscribe: [
          { topics: ["user.{uuid}", "news"], url: a.url },
          { topics: ["user.*"], url: b.url },
          { sites: ["5"], url: c.url },
        ],
        publish: { topics: ["chat.{room}.{thread}"], url: a.url },
        rpc: [
          { methods: ["ping", "users.*"], url: a.url },
          { methods: ["admin.*"], url: b.url },
        ],
      });
      for (const topic of ["user.7", "user.7.mail", "news", "newsletter"]) await hooks.subscribe(subscribing(topic));
      expect(a.asked.map(({ body }) => [body.topic, body.params])).to.deep.equal([
        ["user.7", { uuid: "7" }],
        ["news", {}],
      ]);
      expect(b.asked.map(({ body }) => [body.topic, body.params])).to.deep.equal([["user.7.mail", {}]]);
      expect(c.asked.map(({ body }) => body.topic)).to.deep.equal(["newsletter"]);
      expect(hooks.subscribe(subscribing("newsletter", { site: "6" }))).to.equal(undefined);
      await hooks.publish({ ...asker(), topic: "chat.a.b", data: {} });
      expect(a.asked.at(-1)?.body.params).to.deep.equal({ room: "a", thread: "b" });
      expect(hooks.publish({ ...asker(), topic: "chat.a", data: {} })).to.equal(undefined);
      for (const method of ["ping", "users.list"]) await hooks.rpc({ ...asker(), method, data: null });
      await hooks.rpc({ ...asker(), method: "admin.drop", data: null });
      expect(a.asked.slice(-2).map(({ body }) => body.method)).to.deep.equal(["ping", "users.list"]);
      expect(b.asked.at(-1)?.body.method).to.equal("admin.drop");
      for (const method of ["pin", "ping2", "users", "toString"]) {
        expect(await codeOfRefusal(hooks.rpc({ ...asker(), method, data: null })), method).to.equal("not-found");
      }
    });

    it("identical questions once while the first is under way", async () => {
      let release: (() => void) | undefined;
      const gate = new Promise<void>((resolve) => (release = resolve));
      const backend = await HookBackend.open(stage, async ({ body }) => {
        await gate;
        return body.event === "refresh" ? { until: 4_000_000_000 } : { info: body.topic };
      });
      const { url } = backend;
      const { hooks, observed } = await hooksOf(stage, { subscribe: { url }, refresh: { url }, publish: { url }, rpc: { url } });
      const same = Array.from({ length: 20 }, (_, i) => hooks.subscribe(subscribing("news", { client: `c${i}`, connection: `s${i}` })));
      const refreshes = [hooks.refresh(asker()), hooks.refresh(asker({ connection: "another" }))];
      const others = [
        subscribing("news", { user: "43" }),
        subscribing("news", { session: "s2" }),
        subscribing("news", { site: "6" }),
        subscribing("news", { filter: { id: 1 } }),
        subscribing("news", { filter: { id: "1" } }),
        subscribing("news", { headers: { cookie: "b" } }),
        subscribing("news", { info: { admin: true } }),
        subscribing("newer"),
      ].map((question) => hooks.subscribe(question));
      const twice = [1, 2].flatMap(() => [
        hooks.publish({ ...asker(), topic: "news", data: {} }),
        hooks.rpc({ ...asker(), method: "a", data: null }),
      ]);
      release?.();
      for (const reply of await Promise.all(same)) expect(reply).to.deep.equal({ until: undefined, info: "news" });
      for (const reply of await Promise.all(refreshes)) expect(reply).to.deep.equal({ until: 4_000_000_000 });
      await Promise.all([...others, ...twice]);
      const count = (event: string): number => backend.asked.filter(({ body }) => body.event === event).length;
      expect([count("subscribe"), count("refresh"), count("publish"), count("rpc")]).to.deep.equal([1 + others.length, 1, 2, 2]);
      expect(observed.filter(({ event }) => event === "subscribe")).to.have.length(1 + others.length);
      await hooks.subscribe(subscribing("news"));
      expect(count("subscribe"), "afterwards it is asked anew").to.equal(2 + others.length);
    });
  });

  describe("are signed", () => {
    const first = Buffer.alloc(32, 1);
    const second = Buffer.alloc(24, 2);
    const secret = (bytes: Buffer): string => `whsec_${bytes.toString("base64")}`;

    it("by the secret, as Standard Webhooks say", async () => {
      const backend = await HookBackend.open(stage);
      const { hooks } = await hooksOf(stage, { secret: secret(first), subscribe: { url: backend.url } });
      await hooks.subscribe(subscribing("grüße".replace(/[^a-z]/g, ""), { user: "Jürgen 🔔" }));
      await hooks.subscribe(subscribing("news"));
      for (const asked of backend.asked) {
        expect(isSigned(asked, first, asked.text)).to.equal(true);
        expect(isSigned(asked, second, asked.text)).to.equal(false);
        expect(isSigned(asked, first, `${asked.text} `)).to.equal(false);
      }
      expect(backend.asked[0]?.headers["webhook-id"]).not.to.equal(backend.asked[1]?.headers["webhook-id"]);
    });

    it("by each of several secrets", async () => {
      const backend = await HookBackend.open(stage);
      const { hooks } = await hooksOf(stage, { secret: [secret(first), secret(second)], subscribe: { url: backend.url } });
      await hooks.subscribe(subscribing("news"));
      const [asked] = backend.asked;
      if (asked === undefined) throw new Error("Not asked");
      for (const key of [first, second]) expect(isSigned(asked, key, asked.text)).to.equal(true);
    });

    it("by a key derived from APP_KEY, where there is no secret", async () => {
      const backend = await HookBackend.open(stage);
      const { hooks } = await hooksOf(stage, { subscribe: { url: backend.url } });
      await hooks.subscribe(subscribing("news"));
      // HKDF (RFC 5869) by hand: extract with a salt of zeros, expand to one block.
      const extracted = createHmac("sha256", Buffer.alloc(32)).update(APP_KEY).digest();
      const derived = createHmac("sha256", extracted).update("bellwire hook\u0001").digest();
      const [asked] = backend.asked;
      if (asked === undefined) throw new Error("Not asked");
      expect(isSigned(asked, derived, asked.text)).to.equal(true);
    });
  });

  describe("take replies", () => {
    const until = Math.floor(Date.now() / 1000) + 3600;

    it("of connect with everything in it", async () => {
      const backend = await HookBackend.open(stage);
      const { hooks } = await hooksOf(stage, { connect: { url: backend.url } });
      const connect = (reply: unknown, question = connecting()): Promise<unknown> | undefined => {
        backend.answer = () => reply;
        return hooks.connect(question);
      };
      const filter = { canonical: "{}", keys: [], values: [] };
      expect(
        await connect({
          ...{ user: "7", session: "x", info: { name: "Ann" }, until, unknown: 1 },
          subscriptions: [{ topic: "user.7" }],
          grants: [
            { topic: "Contact_*", filter: { id: [6, 5] } },
            { topic: "news", filter: [] },
          ],
        }),
      ).to.deep.equal({
        ...{ user: "7", session: "x", info: { name: "Ann" }, until },
        subscriptions: [{ topic: "user.7", filter }],
        grants: [
          { topic: "Contact_*", filter: { canonical: '{"id":[5,6]}', keys: ["id"], values: [[5, 6]] } },
          { topic: "news", filter },
        ],
      });
      const nobody = { user: "", session: "", info: undefined, until: undefined, subscriptions: [], grants: [] };
      expect(await connect({ user: "" })).to.deep.equal(nobody);
      expect(await connect({ user: null, session: null, info: null, until: null, subscriptions: null, grants: [] })).to.deep.equal(nobody);
      const known = connecting({ claims: { sub: "9" }, user: "9", session: "s" });
      expect(await connect([], known), "[] is {}").to.deep.equal({ ...nobody, user: "9", session: "s" });
      expect(await connect({ user: null }, known)).to.deep.equal({ ...nobody, session: "s" });
      for (const [reply, says] of [
        [{}, /user is missing/],
        [{ user: 42 }, /user is not a string/],
        [{ user: "x".repeat(129) }, /user is longer than 128 bytes/],
        [{ user: "\ud800" }, /valid Unicode/],
        [{ user: "7", session: {} }, /session is not a string/],
        [{ user: "7", until: "soon" }, /until is not a number/],
        [{ user: "7", until: Date.now() }, /seconds, not milliseconds/],
        [{ user: "7", subscriptions: [{ topic: "user.*" }] }, /one whole topic/],
        [{ user: "7", subscriptions: [{ topic: "$user" }] }, /one whole topic/],
        [{ user: "7", subscriptions: { topic: "a" } }, /subscriptions: grants is a list/],
        [{ user: "7", grants: [{ topic: "a b" }] }, /grants: A grant is/],
        [{ user: "7", info: "x".repeat(20_000) }, /info is longer/],
      ] as const) {
        const refusal = (await refusalOf(connect(reply))) as BellwireError;
        expect(refusal.code, JSON.stringify(reply)).to.equal("unavailable");
        expect(refusal.message).to.match(says);
      }
      expect(await codeOfRefusal(connect({ user: "7", until: 1000 }))).to.equal("token-expired");
    });

    it("of the others", async () => {
      const backend = await HookBackend.open(stage);
      const { url } = backend;
      const { hooks } = await hooksOf(stage, { refresh: { url }, subscribe: { url }, publish: { url }, rpc: { url } });
      const ask = {
        refresh: () => hooks.refresh(asker()),
        subscribe: () => hooks.subscribe(subscribing("news")),
        publish: () => hooks.publish({ ...asker(), topic: "news", data: { a: 1 } }),
        rpc: () => hooks.rpc({ ...asker(), method: "ping", data: null }),
      };
      const good: [event: keyof typeof ask, reply: unknown, read: object][] = [
        ["refresh", { until }, { until }],
        ["refresh", { until: null }, { until: undefined }],
        ["subscribe", [], { until: undefined, info: undefined }],
        ["subscribe", { until, info: [1] }, { until, info: [1] }],
        ["subscribe", { error: null, disconnect: null }, { until: undefined, info: undefined }],
        ["publish", {}, { data: undefined, topic: undefined, handled: false }],
        ["publish", { data: { b: 2 }, topic: "other", handled: false }, { data: { b: 2 }, topic: "other", handled: false }],
        ["publish", { data: [] }, { data: {}, topic: undefined, handled: false }],
        ["publish", { handled: true }, { data: undefined, topic: undefined, handled: true }],
        ["rpc", { data: "pong" }, { status: undefined, data: "pong" }],
        ["rpc", [], { status: undefined, data: null }],
        ["rpc", { data: [1, { a: null }] }, { status: undefined, data: [1, { a: null }] }],
      ];
      for (const [event, reply, read] of good) {
        backend.answer = () => reply;
        expect(await ask[event](), `${event} ${JSON.stringify(reply)}`).to.deep.equal(read);
      }
      const bad: [event: keyof typeof ask, reply: unknown][] = [
        ["refresh", {}],
        ["refresh", { until: "1" }],
        ["subscribe", [1]],
        ["subscribe", true],
        ["subscribe", null],
        ["subscribe", "ok"],
        ["subscribe", { error: "no" }],
        ["subscribe", { error: false }],
        ["subscribe", { error: {} }],
        ["subscribe", { error: { code: [] } }],
        ["subscribe", { disconnect: true }],
        ["subscribe", { disconnect: { reason: "x" } }],
        ["publish", { data: 5 }],
        ["publish", { data: [1] }],
        ["publish", { topic: "$user" }],
        ["publish", { topic: "a b" }],
        ["publish", { handled: "yes" }],
        ["rpc", { status: "200", data: 1 }],
      ];
      for (const [event, reply] of bad) {
        backend.answer = () => reply;
        expect(await codeOfRefusal(ask[event]()), `${event} ${JSON.stringify(reply)}`).to.equal("unavailable");
      }
    });

    it("that refuse, with the backend's own words as the reason", async () => {
      const backend = await HookBackend.open(stage, () => ({ error: { code: "no-access", message: "Not yours" } }));
      const { hooks, observed } = await hooksOf(stage, { subscribe: { url: backend.url } });
      const refusal = (await refusalOf(hooks.subscribe(subscribing("news")))) as BellwireError;
      expect(refusal.toJSON()).to.deep.include({ code: "rejected", retry: "never", reason: { code: "no-access", message: "Not yours" } });
      backend.answer = (_asked, response) => raw(response, 403, '{"error": {"code": 17}}');
      expect(((await refusalOf(hooks.subscribe(subscribing("news")))) as BellwireError).reason).to.deep.equal({ code: 17 });
      expect(observed.map(({ event, outcome }) => [event, outcome])).to.deep.equal([
        ["subscribe", "refused"],
        ["subscribe", "refused"],
      ]);
    });

    it("that end the connection, of every event", async () => {
      const backend = await HookBackend.open(stage, () => ({ disconnect: { code: 4001, reason: "fired" } }));
      const { url } = backend;
      const { hooks } = await hooksOf(stage, { connect: { url }, refresh: { url }, subscribe: { url }, publish: { url }, rpc: { url } });
      for (const answer of [
        hooks.connect(connecting()),
        hooks.refresh(asker()),
        hooks.subscribe(subscribing("news")),
        hooks.publish({ ...asker(), topic: "news", data: {} }),
        hooks.rpc({ ...asker(), method: "ping", data: null }),
      ]) {
        const refusal = await refusalOf(answer);
        expect(refusal).to.be.instanceOf(Disconnected);
        expect((refusal as Disconnected).error.toJSON()).to.deep.include({
          code: "forbidden",
          reason: { code: 4001, message: "fired" },
        });
      }
    });
  });
});

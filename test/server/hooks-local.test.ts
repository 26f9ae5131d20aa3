import { expect } from "chai";
import fc from "fast-check";
import { BellwireError } from "@bellwire/protocol";
import { Topic, defineTopic } from "@bellwire/emitter";
import { Disconnected } from "../../server/src/hooks/hooks.js";
import { createLocalHooks, disconnect, refuse } from "../../server/src/hooks/local-hooks.js";
import { RpcHandlers } from "../../server/src/hooks/rpc-handlers.js";
import type { TopicUser } from "../../server/src/hooks/topic-rules.js";
import { asker, codeOfRefusal, connecting, refusalOf, subscribing } from "./hooks-backend.js";
import { calling, local, publishing } from "./hooks-in-process.js";

describe("hooks in the same process", () => {
  const until = Math.floor(Date.now() / 1000) + 3600;

  it("are typed functions of a context, with plain replies", async () => {
    const seen: string[] = [];
    const { hooks, observed } = local({
      hooks: {
        connect: (ctx) => {
          seen.push(`${ctx.event} ${JSON.stringify(ctx.data)}`);
          return { user: "7", info: { name: "Ann" }, grants: [{ topic: "Contact_*", filter: { id: 5 } }] };
        },
        refresh: async () => ({ until }),
        subscribe: ({ topic }) => topic === "news",
        publish: ({ data, user }) => ({ data: { ...data, from: user } }),
        rpc: ({ method, data }) => ({ data: [method, data] }),
      },
    });
    expect(await hooks.connect(connecting())).to.deep.equal({
      ...{ user: "7", session: "", info: { name: "Ann" }, until: undefined, subscriptions: [] },
      grants: [{ topic: "Contact_*", filter: { canonical: '{"id":5}', keys: ["id"], values: [[5]] } }],
    });
    expect(await hooks.refresh(asker())).to.deep.equal({ until });
    expect(await hooks.subscribe(subscribing("news"))).to.deep.equal({ until: undefined, info: undefined });
    expect(await codeOfRefusal(hooks.subscribe(subscribing("other")))).to.equal("forbidden");
    expect(await hooks.publish(publishing("a", { x: 1 }))).to.deep.equal({ data: { x: 1, from: "42" }, topic: undefined, handled: false });
    expect(await hooks.rpc(calling("sum", [1, 2]))).to.deep.equal({ status: undefined, data: ["sum", [1, 2]] });
    expect(seen).to.deep.equal(['connect {"code":7}']);
    expect(observed).to.deep.equal(["connect ok", "refresh ok", "subscribe ok", "subscribe refused", "publish ok", "rpc ok"]);
    expect(hooks.features).to.deep.equal(["connect", "refresh", "subscribe", "publish", "rpc"]);
  });

  it("are nobody's where none is given", () => {
    const { hooks } = local({});
    expect(hooks.connect(connecting())).to.equal(undefined);
    expect(hooks.subscribe(subscribing("news"))).to.equal(undefined);
    expect(hooks.rpc(calling("ping"))).to.equal(undefined);
    expect(hooks.features).to.deep.equal([]);
  });

  it("refuse and disconnect, thrown or returned", async () => {
    const reason = { code: "no-access", message: "Not yours" };
    for (const answer of [() => ({ error: reason }), () => Promise.reject(refuse("no-access", "Not yours"))]) {
      const refusal = (await refusalOf(local({ hooks: { subscribe: answer } }).hooks.subscribe(subscribing("news")))) as BellwireError;
      expect([refusal.code, refusal.reason]).to.deep.equal(["rejected", reason]);
    }
    const thrown = (): never => {
      throw disconnect(4001, "fired");
    };
    for (const answer of [() => ({ disconnect: { code: 4001, reason: "fired" } }), thrown]) {
      const refusal = await refusalOf(local({ hooks: { rpc: answer } }).hooks.rpc(calling("ping")));
      expect((refusal as Disconnected).error.reason).to.deep.equal({ code: 4001, message: "fired" });
    }
    const own = local({ hooks: { publish: () => Promise.reject(new BellwireError("limit", "Too fast", { after: 5 })) } });
    expect(await codeOfRefusal(own.hooks.publish(publishing("a")))).to.equal("limit");
    expect(own.reports).to.deep.equal([]);
  });

  it("that throw, or answer what is no reply, are `internal`, and reported", async () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const wrong: (() => unknown)[] = [
      () => {
        throw new Error("database password is hunter2");
      },
      () => Promise.reject("text"),
      () => undefined,
      () => null,
      () => "yes",
      () => ({ data: circle }),
      () => ({ data: 10n }),
      () => ({ data: () => 1 }),
      () => ({
        get data() {
          throw new Error("getter");
        },
      }),
      () => ({ error: "no" }),
    ];
    for (const answer of wrong) {
      const { hooks, reports, observed } = local({ hooks: { rpc: answer as never } });
      const refusal = (await refusalOf(hooks.rpc(calling("ping")))) as BellwireError;
      expect([refusal.code, JSON.stringify(refusal).includes("hunter2")], String(answer)).to.deep.equal(["internal", false]);
      expect(reports).to.have.length(1);
      expect(reports[0]?.[0]).to.equal("rpc");
      expect(observed).to.deep.equal(["rpc internal"]);
    }
  });

  it("that never answer are given up", async () => {
    const { hooks, reports } = local({ timeout: 30, hooks: { connect: () => new Promise(() => undefined) } });
    expect(await codeOfRefusal(hooks.connect(connecting()))).to.equal("timeout");
    expect(reports).to.have.length(1);
  });

  it("hand on nothing but what JSON can say", async () => {
    const shared = { when: new Date(0), list: [undefined], bytes: Buffer.from("a") };
    const { hooks } = local({ hooks: { rpc: () => ({ data: shared }) } });
    const { data } = (await hooks.rpc(calling("a"))) as { data: Record<string, unknown> };
    expect(data).to.deep.equal({ when: "1970-01-01T00:00:00.000Z", list: [null], bytes: { type: "Buffer", data: [97] } });
  });

  it("are refused at the start where they can't be any", () => {
    expect(() => createLocalHooks({ hooks: { connect: 5 as never } })).to.throw(TypeError, /connect is not a function/);
    expect(() => createLocalHooks({ hooks: { conect: () => ({}) } as never })).to.throw(TypeError, /conect/);
    expect(() => createLocalHooks({ topics: { "user.{id": () => true } })).to.throw(TypeError);
    expect(() => createLocalHooks({ topics: [{ a: () => true }, { a: () => true }] })).to.throw(TypeError, /twice/);
    expect(() => createLocalHooks({ interceptors: { conect: () => ({}) } as never })).to.throw(TypeError, /conect/);
    expect(() => createLocalHooks({ interceptors: { connect: [5] as never } })).to.throw(TypeError, /not a function/);
  });

  describe("decide about topics", () => {
    class ContactTopic extends Topic<TopicUser> {
      static override readonly topic = "Contact_Updated_Topic";

      canSubscribe(user: TopicUser, filter: Record<string, unknown>): boolean {
        return filter.id === 5 && (user.info as { contacts?: boolean })?.contacts === true;
      }
    }

    const { hooks } = local({
      topics: [
        { "user.{uuid}": ({ uuid }, user) => user.id === uuid, "room.{room}.{part}": async ({ room }) => ({ until, info: room }) },
        ContactTopic,
        defineTopic("news", (user: TopicUser) => ({ until: user.id === "42" ? until : 1 })),
      ],
    });
    const ask = (topic: string, more: object = {}): Promise<unknown> | undefined => hooks.subscribe(subscribing(topic, more));

    it("by rules with placeholders", async () => {
      expect(await ask("user.42")).to.deep.equal({ until: undefined, info: undefined });
      expect(await codeOfRefusal(ask("user.43"))).to.equal("forbidden");
      expect(await codeOfRefusal(ask("user.42", { user: "" }))).to.equal("forbidden");
      expect(await ask("room.a.b")).to.deep.equal({ until, info: "a" });
      expect(await ask("news")).to.deep.equal({ until, info: undefined });
      expect(await codeOfRefusal(ask("news", { user: "1" }))).to.equal("token-expired");
      expect(ask("other")).to.equal(undefined);
      expect(hooks.features).to.deep.equal(["subscribe"]);
    });

    it("by topic classes", async () => {
      const info = { contacts: true };
      expect(await ask("Contact_Updated_Topic", { filter: { id: 5 }, info })).to.deep.include({ until: undefined });
      expect(await codeOfRefusal(ask("Contact_Updated_Topic", { filter: { id: [5, 6] }, info }))).to.equal("forbidden");
      expect(await codeOfRefusal(ask("Contact_Updated_Topic", { filter: { id: 5 } }))).to.equal("forbidden");
    });

    it("by the hook where no rule fits", async () => {
      const both = local({ topics: { news: () => false }, hooks: { subscribe: () => true } });
      expect(await codeOfRefusal(both.hooks.subscribe(subscribing("news")))).to.equal("forbidden");
      expect(await both.hooks.subscribe(subscribing("other"))).to.deep.include({ until: undefined });
    });

    it("never by an answer that is neither yes nor no", async () => {
      for (const answer of [undefined, null, 1, "yes", Number.NaN]) {
        const { hooks: asked, reports } = local({ topics: { news: () => answer as never } });
        expect(await codeOfRefusal(asked.subscribe(subscribing("news")))).to.equal("internal");
        expect(reports).to.have.length(1);
      }
    });
  });

  describe("answer rpc methods", () => {
    it("by handlers, by name or prefix, which may be added later", async () => {
      const handlers = new RpcHandlers();
      const { hooks } = local({ handlers, hooks: { rpc: ({ method }) => ({ data: `hook ${method}` }) } });
      handlers.handle("ping", () => "pong");
      handlers.handle("math.*", () => "any");
      handlers.handle("math.add.*", async ({ data, user }) => ({ sum: (data as number[])[0], user }));
      handlers.handle("none", () => undefined);
      const call = async (method: string): Promise<unknown> => (await hooks.rpc(calling(method, [1])))?.data;
      expect(await call("ping")).to.equal("pong");
      expect(await call("math.sub")).to.equal("any");
      expect(await call("math.add.int")).to.deep.equal({ sum: 1, user: "42" });
      expect(await call("none")).to.equal(null);
      expect(await call("pings")).to.equal("hook pings");
      expect(() => handlers.handle("ping", () => 1)).to.throw(TypeError, /already/);
      expect(() => handlers.handle("", () => 1)).to.throw(TypeError);
      expect(() => handlers.handle("x", 5 as never)).to.throw(TypeError);
    });

    it("and say that there are some", () => {
      const handlers = new RpcHandlers();
      const { hooks } = local({ handlers });
      expect(hooks.features).to.deep.equal([]);
      handlers.handle("ping", () => "pong");
      expect(hooks.features).to.deep.equal(["rpc"]);
      expect(hooks.rpc(calling("other"))).to.equal(undefined);
    });
  });

  it("whatever they answer: a reply, a BellwireError or a Disconnected", async () => {
    await fc.assert(
      fc.asyncProperty(fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }), async (answer) => {
        const give = (() => answer) as never;
        const { hooks } = local({
          hooks: { connect: give, refresh: give, subscribe: give, publish: give, rpc: give },
          interceptors: { publish: give },
        });
        for (const asked of [
          hooks.connect(connecting()),
          hooks.refresh(asker()),
          hooks.subscribe(subscribing("a")),
          hooks.publish(publishing("a")),
          hooks.rpc(calling("a")),
        ]) {
          try {
            JSON.stringify(await asked);
          } catch (error) {
            expect(error instanceof BellwireError || error instanceof Disconnected, String((error as Error).stack)).to.equal(true);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

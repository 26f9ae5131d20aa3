import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import type { BellwireError } from "@bellwire/protocol";
import { composeHooks } from "../../server/src/hooks/compose.js";
import type { HookContext, Interceptors } from "../../server/src/hooks/interceptors.js";
import { refuse } from "../../server/src/hooks/local-hooks.js";
import { RpcHandlers } from "../../server/src/hooks/rpc-handlers.js";
import { asker, codeOfRefusal, connecting, HookBackend, hooksOf, refusalOf, subscribing } from "./hooks-backend.js";
import { calling, local, publishing } from "./hooks-in-process.js";
import { Stage } from "./stage.js";

describe("interceptors of hooks", () => {
  const until = Math.floor(Date.now() / 1000) + 3600;
  const subscribeHook = { subscribe: () => ({ info: "hook" }) };

  it("that run in order around the hook, those of every event outside", async () => {
    const steps: string[] = [];
    const step =
      (name: string) =>
      async (ctx: HookContext, next: () => Promise<never>): Promise<never> => {
        steps.push(`${name} ${ctx.event}`);
        try {
          return await next();
        } finally {
          steps.push(`/${name}`);
        }
      };
    const { hooks } = local({
      interceptors: { subscribe: [step("c"), step("d")], "*": [step("a"), step("b")] } as unknown as Interceptors,
      hooks: {
        subscribe: () => {
          steps.push("hook");
          return true;
        },
        refresh: () => ({ until: null }),
      },
    });
    await hooks.subscribe(subscribing("news"));
    expect(steps).to.deep.equal(["a subscribe", "b subscribe", "c subscribe", "d subscribe", "hook", "/d", "/c", "/b", "/a"]);
    steps.length = 0;
    expect(await hooks.refresh(asker())).to.deep.equal({ until: undefined });
    expect(steps).to.deep.equal(["a refresh", "b refresh", "/b", "/a"]);
  });

  it("that change questions and replies", async () => {
    const { hooks } = local({
      interceptors: {
        publish: async ({ data }, next) => ({ ...(await next({ data: { ...data, stamped: true } })), topic: "moved" }),
        connect: async (_ctx, next) => {
          const reply = await next({ data: "changed" });
          return { ...reply, grants: [...(reply.grants ?? []), { topic: "extra", filter: { a: 1 } }] };
        },
      },
      hooks: {
        publish: ({ data }) => ({ data: { ...data, seen: data.stamped } }),
        connect: ({ data }) => ({ user: String(data), until, grants: [{ topic: "own", filter: { id: [1, 2] } }] }),
      },
    });
    expect(await hooks.publish(publishing("a"))).to.deep.equal({ data: { stamped: true, seen: true }, topic: "moved", handled: false });
    const reply = await hooks.connect(connecting());
    expect([reply?.user, reply?.until, reply?.grants.map(({ topic, filter }) => topic + filter.canonical)]).to.deep.equal([
      ...["changed", until],
      ['own{"id":[1,2]}', 'extra{"a":1}'],
    ]);
  });

  it("that refuse, or answer without asking on", async () => {
    let asked = 0;
    const count = (): true => {
      asked++;
      return true;
    };
    const throwing = local({ hooks: { subscribe: count }, interceptors: { subscribe: () => Promise.reject(refuse("closed")) } });
    expect(((await refusalOf(throwing.hooks.subscribe(subscribing("a")))) as BellwireError).reason).to.deep.equal({ code: "closed" });
    const returning = local({ hooks: { subscribe: count }, interceptors: { "*": () => ({ error: { code: 1 } }) } });
    expect(await codeOfRefusal(returning.hooks.subscribe(subscribing("a")))).to.equal("rejected");
    const ending = local({ hooks: { subscribe: count }, interceptors: { "*": () => ({ disconnect: { code: 1 } }) } });
    expect(await codeOfRefusal(ending.hooks.subscribe(subscribing("a")))).to.equal("disconnected");
    const answering = local({ interceptors: { rpc: ({ method }) => ({ data: method }) } });
    expect(await answering.hooks.rpc(calling("ping"))).to.deep.include({ data: "ping" });
    expect(answering.hooks.features).to.deep.equal(["rpc"]);
    expect(asked).to.equal(0);
  });

  it("that see a refusal, and may take it back", async () => {
    const seen: string[] = [];
    const { hooks } = local({
      hooks: { subscribe: () => false },
      interceptors: {
        subscribe: [
          async (_ctx, next) => {
            try {
              return await next();
            } catch (error) {
              seen.push((error as BellwireError).code);
              return true;
            }
          },
          (_ctx, next) => next(),
        ],
      },
    });
    expect(await hooks.subscribe(subscribing("a"))).to.deep.include({ until: undefined });
    expect(seen).to.deep.equal(["forbidden"]);
  });

  it("whose mistakes are `internal` and never thrown through", async () => {
    const mistakes: Interceptors[] = [
      {
        "*": () => {
          throw new Error("broken");
        },
      },
      { subscribe: () => Promise.reject(new Error("broken")) },
      { subscribe: () => undefined as never },
      { subscribe: async (_ctx, next) => ({ ...(await next()), ...(await next()) }) },
    ];
    for (const interceptors of mistakes) {
      const { hooks, reports } = local({ hooks: subscribeHook, interceptors });
      expect(await codeOfRefusal(hooks.subscribe(subscribing("a")))).to.equal("internal");
      expect(reports).to.have.length(1);
    }
  });

  it("that don't wait for what they asked leave no rejection behind", async () => {
    const unhandled: unknown[] = [];
    const listen = (error: unknown): number => unhandled.push(error);
    process.on("unhandledRejection", listen);
    const { hooks } = local({
      hooks: { subscribe: () => Promise.reject(new Error("late")) },
      interceptors: {
        subscribe: (_ctx, next) => {
          void next();
          return true;
        },
      },
    });
    expect(await hooks.subscribe(subscribing("a"))).to.deep.include({ until: undefined });
    await pause(10);
    process.off("unhandledRejection", listen);
    expect(unhandled).to.deep.equal([]);
  });

  it("that only look change nothing where nobody is there to answer", async () => {
    const seen: string[] = [];
    const { hooks } = local({
      interceptors: {
        "*": (ctx, next) => {
          seen.push(ctx.event);
          return next();
        },
      },
    });
    expect(await codeOfRefusal(hooks.connect(connecting()))).to.equal("token-missing");
    const known = connecting({ user: "9", session: "s", claims: { sub: "9" } });
    expect(await hooks.connect(known)).to.deep.include({ user: "9", session: "s", grants: [] });
    expect(await codeOfRefusal(hooks.refresh(asker()))).to.equal("token-missing");
    expect(await codeOfRefusal(hooks.subscribe(subscribing("a")))).to.equal("token-missing");
    expect(await hooks.publish(publishing("a"))).to.deep.equal({ data: undefined, topic: undefined, handled: false });
    expect(await codeOfRefusal(hooks.rpc(calling("ping")))).to.equal("not-found");
    expect(seen).to.have.length(6);
    expect(hooks.features).to.deep.equal([]);
  });
});

describe("hooks in the same process and over HTTP", () => {
  const stage = Stage.forEachTest();

  it("are asked in this order, with the interceptors around both", async () => {
    const backend = await HookBackend.open(stage, ({ body }) =>
      body.event === "connect" ? { user: "7", grants: [{ topic: "a", filter: { id: 1 } }] } : { info: "http", data: "http" },
    );
    const { url } = backend;
    const { hooks: http } = await hooksOf(stage, { connect: { url }, subscribe: { url }, rpc: { url, methods: ["remote"] } });
    const seen: string[] = [];
    const handlers = new RpcHandlers();
    handlers.handle("ping", () => "pong");
    const { hooks: own } = local({
      handlers,
      topics: { mine: () => false },
      interceptors: {
        "*": (ctx, next) => {
          seen.push(ctx.event);
          return next();
        },
      },
    });
    const hooks = composeHooks(own, http);
    expect(hooks.features).to.have.members(["connect", "subscribe", "rpc"]);
    expect(await hooks.connect(connecting())).to.deep.include({
      user: "7",
      grants: [{ topic: "a", filter: { canonical: '{"id":1}', keys: ["id"], values: [[1]] } }],
    });
    expect(await codeOfRefusal(hooks.subscribe(subscribing("mine"))), "a no is a no").to.equal("forbidden");
    expect(await hooks.subscribe(subscribing("theirs"))).to.deep.include({ info: "http" });
    expect(await hooks.rpc(calling("ping"))).to.deep.include({ data: "pong" });
    expect(await hooks.rpc(calling("remote"))).to.deep.include({ data: "http" });
    expect(await codeOfRefusal(hooks.rpc(calling("other")))).to.equal("not-found");
    expect(seen).to.deep.equal(["connect", "subscribe", "subscribe", "rpc", "rpc", "rpc"]);
    expect(backend.asked.map(({ body }) => body.event)).to.deep.equal(["connect", "subscribe", "rpc"]);
    await hooks.close();
    expect(await codeOfRefusal(hooks.subscribe(subscribing("theirs")))).to.equal("unavailable");
  });

  it("refuse with what the backend said, through the interceptors", async () => {
    const backend = await HookBackend.open(stage, () => ({ error: { code: 5, message: "No" } }));
    const { hooks: http } = await hooksOf(stage, { publish: { url: backend.url } });
    const { hooks: own } = local({ interceptors: { "*": (_ctx, next) => next() } });
    const refusal = (await refusalOf(composeHooks(own, http).publish(publishing("a")))) as BellwireError;
    expect([refusal.code, refusal.reason]).to.deep.equal(["rejected", { code: 5, message: "No" }]);
  });
});

import { expect } from "chai";
import type { BellwireError, Reason, WireError } from "@bellwire/protocol";
import { composeHooks } from "../../server/src/hooks/compose.js";
import type { Hooks } from "../../server/src/hooks/hooks.js";
import { refuse } from "../../server/src/hooks/local-hooks.js";
import { asker, connecting, HookBackend, hooksOf, raw, refusalOf, subscribing, type Answering } from "./hooks-backend.js";
import { calling, local, publishing } from "./hooks-in-process.js";
import { Stage } from "./stage.js";

const EVENTS = ["connect", "refresh", "subscribe", "publish", "rpc"] as const;
const SOLD_OUT = { code: "sold-out", message: "None left" };
const NOT_YOURS = { code: "forbidden", message: "Not yours" };

/** What each question was refused with: the code, and the reason where there is one. */
async function refusals(hooks: Hooks): Promise<[event: string, code: string, reason?: Reason][]> {
  const questions = {
    connect: () => hooks.connect(connecting()),
    refresh: () => hooks.refresh(asker()),
    subscribe: () => hooks.subscribe(subscribing("news")),
    publish: () => hooks.publish(publishing("news")),
    rpc: () => hooks.rpc(calling("buy")),
  };
  const found: [string, string, Reason?][] = [];
  for (const event of EVENTS) {
    const { code, reason } = (await refusalOf(questions[event]())) as BellwireError;
    found.push(reason === undefined ? [event, code] : [event, code, reason]);
  }
  return found;
}

function everywhere<T>(value: T): Record<(typeof EVENTS)[number], T> {
  return { connect: value, refresh: value, subscribe: value, publish: value, rpc: value };
}

function eachRefused(code: string, reason?: Reason): unknown[] {
  return EVENTS.map((event) => (reason === undefined ? [event, code] : [event, code, reason]));
}

describe("a backend's no", () => {
  const stage = Stage.forEachTest();

  it("over HTTP is rejected with its own words, and forbidden where it is about permission, for every question", async () => {
    const error = (status: number, said: unknown): Answering => {
      return (_asked, response) => raw(response, status, JSON.stringify({ error: said }));
    };
    const cases: [answer: Answering, code: string, reason?: Reason][] = [
      [() => ({ error: SOLD_OUT }), "rejected", SOLD_OUT],
      [() => ({ error: { code: 17 } }), "rejected", { code: 17 }],
      [error(422, SOLD_OUT), "rejected", SOLD_OUT],
      [() => ({ error: NOT_YOURS }), "forbidden", NOT_YOURS],
      [error(422, NOT_YOURS), "forbidden", NOT_YOURS],
      [error(401, SOLD_OUT), "forbidden", SOLD_OUT],
      [error(403, SOLD_OUT), "forbidden", SOLD_OUT],
      [error(403, "no"), "forbidden"],
      [(_asked, response) => raw(response, 422, '{"detail": [{"msg": "field required"}]}'), "unavailable"],
    ];
    for (const [answer, code, reason] of cases) {
      const backend = await HookBackend.open(stage, answer);
      const { hooks } = await hooksOf(stage, everywhere({ url: backend.url }));
      expect(await refusals(hooks)).to.deep.equal(eachRefused(code, reason));
    }
  });

  it("in the same process is so too, thrown or returned, by hooks and by interceptors", async () => {
    for (const [reason, code] of [
      [SOLD_OUT, "rejected"],
      [NOT_YOURS, "forbidden"],
    ] as const) {
      const returned = (): { error: Reason } => ({ error: reason });
      const thrown = (): never => {
        throw refuse(reason.code, reason.message);
      };
      for (const no of [returned, thrown]) {
        expect(await refusals(local({ hooks: everywhere(no) }).hooks)).to.deep.equal(eachRefused(code, reason));
        expect(await refusals(local({ interceptors: { "*": no } }).hooks)).to.deep.equal(eachRefused(code, reason));
      }
    }
    const { hooks } = local({ hooks: { subscribe: () => false } });
    expect(((await refusalOf(hooks.subscribe(subscribing("news")))) as BellwireError).toJSON()).to.not.have.property("reason");
  });

  it("passes interceptors as it is", async () => {
    const backend = await HookBackend.open(stage, () => ({ error: SOLD_OUT }));
    const { hooks: http } = await hooksOf(stage, everywhere({ url: backend.url }));
    const { hooks: own } = local({ interceptors: { "*": (_ctx, next) => next() } });
    expect(await refusals(composeHooks(own, http))).to.deep.equal(eachRefused("rejected", SOLD_OUT));
  });

  it("reaches a client as rejected, retry never, with the reason", async () => {
    const backend = await HookBackend.open(stage, ({ body }) =>
      body.event === "connect" && body.data !== "late" ? { user: "ann", until: Date.now() / 1000 + 60 } : { error: SOLD_OUT },
    );
    const url = backend.url;
    const relay = await stage.relay({ file: { hooks: everywhere({ url }), topics: { room: { publish: true } } } });
    const rejected = { code: "rejected", retry: "never", reason: SOLD_OUT };
    const late = stage.client(relay, { auth: { v: 1, data: "late" } });
    const refused = await late.hello.then(
      () => undefined,
      (error: { data: WireError }) => error.data,
    );
    expect(refused).to.deep.include(rejected);
    const ann = await stage.connect(relay, { auth: { v: 1 } });
    const { results } = await ann.emit<{ results: { error: WireError }[] }>("subscribe", [{ id: "1", topic: "news" }]);
    expect(results[0]?.error).to.deep.include(rejected);
    for (const [event, request] of [
      ["publish", { topic: "room", data: {} }],
      ["rpc", { method: "buy" }],
      ["refresh", {}],
    ] as const) {
      expect((await ann.emit<{ error: WireError }>(event, request)).error, event).to.deep.include(rejected);
    }
  });
});

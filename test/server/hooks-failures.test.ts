import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import fc from "fast-check";
import { BellwireError } from "@bellwire/protocol";
import { Disconnected, type Hooks } from "../../server/src/hooks/hooks.js";
import { stablePort } from "../support/stable-port.js";
import {
  asker,
  codeOfRefusal,
  connecting,
  HookBackend,
  hooksOf,
  raw,
  refusalOf,
  silence,
  subscribing,
  type Answering,
} from "./hooks-backend.js";
import { eventually, Stage } from "./stage.js";

/** One question of each event. */
function askAll(hooks: Hooks): Record<string, Promise<unknown> | undefined> {
  const answers = {
    connect: hooks.connect(connecting()),
    refresh: hooks.refresh(asker()),
    subscribe: hooks.subscribe(subscribing("news")),
    publish: hooks.publish({ ...asker(), topic: "news", data: {} }),
    rpc: hooks.rpc({ ...asker(), method: "ping", data: null }),
  };
  for (const answer of Object.values(answers)) answer?.catch(() => undefined); // they are looked at one after the other
  return answers;
}

function everywhere(backend: object): object {
  return { connect: backend, refresh: backend, subscribe: backend, publish: backend, rpc: backend };
}

describe("a backend that fails", () => {
  const stage = Stage.forEachTest();

  it("by not being there is not tried again for a moment, and asked as soon as that is over", async () => {
    const port = await stablePort();
    const { hooks } = await hooksOf(stage, { rpc: { url: `http://127.0.0.1:${port}/hooks` } });
    const ask = (): Promise<unknown> | undefined => hooks.rpc({ ...asker(), method: "ping", data: null });
    expect(await codeOfRefusal(ask())).to.equal("unavailable");
    let asked = 0;
    const backend = createHttpServer((request, response) => {
      asked++;
      request.resume();
      response.setHeader("content-type", "application/json").end('{"data":"pong"}');
    });
    backend.listen(port, "127.0.0.1");
    await once(backend, "listening");
    stage.closeLater(() => backend.close());
    expect(await codeOfRefusal(ask())).to.equal("unavailable");
    expect(asked).to.equal(0);
    let answer: unknown;
    for (; answer === undefined; await new Promise((resolve) => setImmediate(resolve))) answer = await ask()?.catch(() => undefined);
    expect([answer, asked]).to.deep.equal([{ data: "pong", status: undefined }, 1]);
  });

  it("by being slow is given up in time, with `timeout`", async () => {
    const backend = await HookBackend.open(stage, silence);
    const { hooks, observed, warnings } = await hooksOf(stage, everywhere({ url: backend.url, timeout: "150ms" }));
    const started = Date.now();
    for (const [event, answer] of Object.entries(askAll(hooks))) expect(await codeOfRefusal(answer), event).to.equal("timeout");
    expect(Date.now() - started).to.be.within(140, 1500);
    expect(backend.asked, "nobody is asked again").to.have.length(5);
    expect(new Set(observed.map(({ outcome }) => outcome))).to.deep.equal(new Set(["timeout"]));
    expect(warnings[0]).to.match(/^The \w+ hook at http:\/\/127\.0\.0\.1:\d+\/hooks: no answer within 150 ms$/);
    await eventually(() => backend.open === 0, "the requests were cut off");
  });

  it("by a body that never ends is given up in time", async () => {
    const backend = await HookBackend.open(stage, (_asked, response) => {
      response.writeHead(200).write('{"until": ');
      return silence();
    });
    const { hooks } = await hooksOf(stage, { subscribe: { url: backend.url, timeout: 150 } });
    expect(await codeOfRefusal(hooks.subscribe(subscribing("news")))).to.equal("timeout");
  });

  it("by being dead is `unavailable`, at once", async () => {
    const url = `http://127.0.0.1:${await stablePort()}/hooks`;
    const { hooks, observed } = await hooksOf(stage, everywhere({ url, timeout: "10s" }));
    const started = Date.now();
    for (const [event, answer] of Object.entries(askAll(hooks))) expect(await codeOfRefusal(answer), event).to.equal("unavailable");
    expect(Date.now() - started).to.be.below(2000);
    expect(new Set(observed.map(({ outcome }) => outcome))).to.deep.equal(new Set(["unreachable"]));
  });

  it("by speaking no HTTP, or hanging up, is `unavailable`", async () => {
    for (const says of ["hello\r\n\r\n", ""]) {
      const server = createServer((socket) => socket.on("error", () => undefined).end(says));
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      stage.closeLater(() => server.close());
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`;
      const { hooks } = await hooksOf(stage, everywhere({ url }));
      for (const [event, answer] of Object.entries(askAll(hooks))) expect(await codeOfRefusal(answer), event).to.equal("unavailable");
    }
  });

  it("is asked again where that is safe: connect, refresh and subscribe once more", async () => {
    const ids = new Map<string, Set<unknown>>();
    const backend = await HookBackend.open(stage, ({ body, headers }, response) => {
      const seen = ids.get(body.event as string) ?? new Set();
      ids.set(body.event as string, seen.add(headers["webhook-id"]));
      return raw(response, 500, "Oops");
    });
    const { hooks } = await hooksOf(stage, everywhere({ url: backend.url }));
    for (const [event, answer] of Object.entries(askAll(hooks))) expect(await codeOfRefusal(answer), event).to.equal("unavailable");
    const times = (event: string): number => backend.asked.filter(({ body }) => body.event === event).length;
    expect(["connect", "refresh", "subscribe", "publish", "rpc"].map(times)).to.deep.equal([2, 2, 2, 1, 1]);
    for (const [event, seen] of ids) expect(seen.size, `${event} keeps its webhook-id`).to.equal(1);
  });

  it("once and then works again, answers: after a 5xx, and after a connection that broke", async () => {
    let failures = 3;
    const backend = await HookBackend.open(stage, (_asked, response) => {
      if (failures-- <= 0) return { info: "here" };
      if (failures === 0) return raw(response, 502, "");
      response.destroy();
      return silence();
    });
    const { hooks, observed } = await hooksOf(stage, {
      subscribe: { url: backend.url, retries: 3 },
      publish: { url: backend.url, retries: 1 },
    });
    expect(await hooks.subscribe(subscribing("news"))).to.deep.include({ info: "here" });
    expect(backend.asked).to.have.length(4);
    expect(observed.map(({ outcome }) => outcome)).to.deep.equal(["ok"]);
    failures = 1;
    expect(await hooks.publish({ ...asker(), topic: "a", data: {} })).to.deep.include({ handled: false });
  });

  it("by answers that are none, each with its code, and is not asked again", async () => {
    const cases: [answer: Answering, code: string, says: RegExp][] = [
      [(_asked, response) => raw(response, 302, "", { location: "http://127.0.0.1:1/" }), "unavailable", /status 302, a redirect/],
      [(_asked, response) => raw(response, 307, "", { location: "/hooks2" }), "unavailable", /redirect/],
      [(_asked, response) => raw(response, 200, "<html>"), "unavailable", /not JSON/],
      [(_asked, response) => raw(response, 200, ""), "unavailable", /not JSON/],
      [(_asked, response) => raw(response, 200, Buffer.from([0xff, 0xfe])), "unavailable", /not JSON/],
      [(_asked, response) => raw(response, 200, `"${"x".repeat(1_100_000)}"`), "unavailable", /larger than 1048576 bytes/],
      [(_asked, response) => raw(response, 204, ""), "unavailable", /status 204/],
      [(_asked, response) => raw(response, 400, "{}"), "unavailable", /status 400/],
      [(_asked, response) => raw(response, 404, "{}"), "unavailable", /status 404/],
      [(_asked, response) => raw(response, 401, "{}"), "forbidden", /refused/],
      [(_asked, response) => raw(response, 403, "<html>"), "forbidden", /refused/],
      [(_asked, response) => raw(response, 429, "", { "retry-after": "7" }), "limit", /Too many/],
    ];
    for (const [answer, code, says] of cases) {
      const backend = await HookBackend.open(stage, answer);
      const { hooks } = await hooksOf(stage, everywhere({ url: backend.url }));
      const { rpc, ...others } = askAll(hooks);
      for (const [event, given] of Object.entries(others)) {
        const refusal = (await refusalOf(given)) as BellwireError;
        expect([event, refusal.code, refusal.message]).to.deep.equal([event, code, says.exec(refusal.message)?.input]);
        if (code === "limit") expect(refusal.after).to.equal(7000);
      }
      const isUnknown = backend.asked.length > 0 && /404/.test(says.source);
      expect(await codeOfRefusal(rpc)).to.equal(isUnknown ? "not-found" : code);
      expect(backend.asked).to.have.length(5);
    }
  });

  it("is not let go on with an endless reply", async () => {
    let written = 0;
    const backend = await HookBackend.open(stage, (_asked, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536))) written += 65_536;
        response.once("drain", more);
      };
      more();
      return silence();
    });
    const { hooks } = await hooksOf(stage, { subscribe: { url: backend.url } });
    expect(await codeOfRefusal(hooks.subscribe(subscribing("news")))).to.equal("unavailable");
    await eventually(() => backend.open === 0, "the request was cut off");
    expect(written).to.be.below(50_000_000);
  });

  it("says on the log that it refuses without a word, as one with another secret does", async () => {
    const backend = await HookBackend.open(stage, (_asked, response) => raw(response, 401, "bad signature"));
    const { hooks, warnings } = await hooksOf(stage, { connect: { url: `${backend.url}?token=hunter2` } });
    expect(await codeOfRefusal(hooks.connect(connecting()))).to.equal("forbidden");
    expect(backend.asked[0]?.url).to.equal("/hooks?token=hunter2");
    expect(warnings).to.have.length(1);
    expect(warnings[0])
      .to.match(/401 or 403.*secret/)
      .and.not.to.include("hunter2");
  });

  it("may be configured to allow where it is not there, and nothing that a client can cause is allowed so", async () => {
    const dead = `http://127.0.0.1:${await stablePort()}/hooks`;
    const allow = (url: string): object => {
      const each = { url, onFailure: "allow", timeout: 200 };
      return { refresh: each, subscribe: each, publish: each };
    };
    const { hooks } = await hooksOf(stage, allow(dead));
    const { until } = (await hooks.refresh(asker())) ?? {};
    expect(until, "a minute, then it is asked again").to.be.within(Date.now() / 1000 + 55, Date.now() / 1000 + 61);
    expect(await hooks.subscribe(subscribing("news"))).to.deep.equal({ until: undefined, info: undefined });
    expect(await hooks.publish({ ...asker(), topic: "a", data: {} })).to.deep.equal({ data: undefined, topic: undefined, handled: false });
    const cases: [Answering, string][] = [
      [silence, "timeout"],
      [(_asked, response) => raw(response, 503, ""), "unavailable"],
      [(_asked, response) => raw(response, 429, ""), "limit"],
      [(_asked, response) => response.destroy() && silence(), "unavailable"],
      [(_asked, response) => raw(response, 401, ""), "forbidden"],
      [(_asked, response) => raw(response, 200, "no"), "unavailable"],
      [() => ({ error: "no" }), "unavailable"],
      [() => ({ error: { code: 1 } }), "rejected"],
      [() => ({ disconnect: { code: 1 } }), "disconnected"],
    ];
    for (const [answer, outcome] of cases) {
      const backend = await HookBackend.open(stage, answer);
      const asked = (await hooksOf(stage, allow(backend.url))).hooks;
      const got = await codeOfRefusal(asked.subscribe(subscribing("news"))).catch(() => "allowed");
      expect(got).to.equal(outcome);
    }
  });

  it("does not hold up the others", async () => {
    const slow = await HookBackend.open(stage, silence);
    const quick = await HookBackend.open(stage);
    const { hooks } = await hooksOf(stage, {
      subscribe: [{ topics: ["slow*"], url: slow.url, concurrency: 2, timeout: 5000 }, { url: quick.url }],
    });
    const waiting = Array.from({ length: 50 }, (_, i) => codeOfRefusal(hooks.subscribe(subscribing(`slow${i}`))));
    await eventually(() => slow.open === 2, "two are under way");
    for (let i = 0; i < 20; i++) await hooks.subscribe(subscribing(`q${i}`));
    await hooks.close();
    for (const code of await Promise.all(waiting)) expect(code).to.equal("unavailable");
    expect(await codeOfRefusal(hooks.subscribe(subscribing("q")))).to.equal("unavailable");
  });
});

describe("a flood of questions", () => {
  const stage = Stage.forEachTest();

  it("goes to the backend so many at a time; beyond those that may wait it is `limit` at once", async () => {
    let release: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const backend = await HookBackend.open(stage, async () => {
      await gate;
      return {};
    });
    const { hooks, observed } = await hooksOf(stage, { subscribe: { url: backend.url, concurrency: 5, queue: 20, timeout: "10s" } });
    const answers = Array.from({ length: 100 }, (_, i) =>
      (hooks.subscribe(subscribing(`t${i}`)) as Promise<unknown>).then(
        () => "ok",
        (error: unknown) => (error as BellwireError).code,
      ),
    );
    const refused = await Promise.all(answers.slice(25));
    expect(new Set(refused)).to.deep.equal(new Set(["limit"]));
    const over = (await refusalOf(hooks.subscribe(subscribing("one more")))) as BellwireError;
    expect([over.retry, over.after]).to.deep.equal(["later", 1000]);
    await eventually(() => backend.open === 5, "five are under way");
    expect(backend.asked.length).to.equal(5);
    release?.();
    expect(await Promise.all(answers.slice(0, 25))).to.deep.equal(Array.from({ length: 25 }, () => "ok"));
    expect(backend.mostOpen).to.equal(5);
    expect(observed.filter(({ outcome }) => outcome === "overloaded")).to.have.length(76);
    expect(await hooks.subscribe(subscribing("afterwards"))).to.deep.include({ until: undefined });
  });

  it("admits nobody, also where failing means allow", async () => {
    const backend = await HookBackend.open(stage, silence);
    const { hooks } = await hooksOf(stage, {
      subscribe: { url: backend.url, concurrency: 2, queue: 10, timeout: 200, onFailure: "allow" },
    });
    const codes = await Promise.all(Array.from({ length: 100 }, (_, i) => codeOfRefusal(hooks.subscribe(subscribing(`forbidden${i}`)))));
    expect(new Set(codes)).to.deep.equal(new Set(["limit", "timeout"]));
  });

  it("is over in time for those that wait too, and goes on afterwards", async () => {
    const backend = await HookBackend.open(stage, silence);
    const { hooks } = await hooksOf(stage, { subscribe: { url: backend.url, concurrency: 1, queue: 10, timeout: 200 } });
    const started = Date.now();
    const codes = await Promise.all(Array.from({ length: 5 }, (_, i) => codeOfRefusal(hooks.subscribe(subscribing(`t${i}`)))));
    expect(codes).to.deep.equal(Array.from({ length: 5 }, () => "timeout"));
    expect(Date.now() - started, "the times of those before don't add up").to.be.below(900);
    backend.answer = () => ({});
    expect(await hooks.subscribe(subscribing("afterwards"))).to.deep.include({ until: undefined });
  });
});

describe("whatever a backend replies", () => {
  const stage = Stage.forEachTest();
  const key = fc.constantFrom(
    ...["user", "session", "info", "until", "subscriptions", "grants", "data", "topic", "handled", "status", "error", "disconnect"],
    ...["code", "message", "reason", "__proto__", "constructor", "filter", "then", "toString", "length"],
  );
  const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom(null, true, false, "", "42", "news", "$user", "a*", 0, -1, 1e300, 4e9, "\ud800", []),
      fc.string(),
      fc.double(),
      fc.array(tie("any"), { maxLength: 3 }),
      fc.dictionary(key, tie("any"), { maxKeys: 5, noNullPrototype: true }),
    ),
  })).any;
  const body = fc.oneof(
    { weight: 30, arbitrary: fc.dictionary(key, value, { maxKeys: 6 }).map((object) => JSON.stringify(object)) },
    { weight: 8, arbitrary: value.map((any) => JSON.stringify(any) ?? "") },
    { weight: 4, arbitrary: fc.string() },
    {
      weight: 1,
      arbitrary: fc.constantFrom("[".repeat(400_000), `{"data":${"[".repeat(50_000)}${"]".repeat(50_000)}}`, '{"info":'.repeat(9000)),
    },
  );
  const status = fc.oneof(
    { weight: 5, arbitrary: fc.constant(200) },
    { weight: 1, arbitrary: fc.constantFrom(200, 201, 204, 301, 304, 400, 401, 403, 404, 422, 429, 500, 503) },
  );

  it("is a reply, a BellwireError or a Disconnected", async function () {
    this.timeout(60_000);
    let next = { status: 200, body: "{}" };
    const backend = await HookBackend.open(stage, (_asked, response) =>
      raw(response, next.status, next.body, { "content-type": "application/json" }),
    );
    const { url, origin } = backend;
    const { hooks } = await hooksOf(stage, {
      ...everywhere({ url, retries: 0 }),
      rpc: [
        { http: origin, allow: ["post:a"] },
        { url, retries: 0 },
      ],
    });
    await fc.assert(
      fc.asyncProperty(status, body, async (code, text) => {
        next = { status: code, body: text };
        const answers = [...Object.values(askAll(hooks)), hooks.rpc({ ...asker(), method: "post:a", data: {} })];
        for (const answer of answers) {
          try {
            // Whatever is handed on can be written to a socket.
            JSON.stringify(await answer);
          } catch (error) {
            const isOurs = error instanceof BellwireError || error instanceof Disconnected;
            expect(isOurs, String((error as Error).stack)).to.equal(true);
            expect(await codeOfRefusal(answer)).not.to.equal("internal");
          }
        }
      }),
      { numRuns: 400 },
    );
  });
});

import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import type { BellwireError } from "@bellwire/protocol";
import { createHttpHooks } from "../../server/src/hooks/http-hooks.js";
import { APP_KEY, connecting, HookBackend, hooksOf, settingsOf, silence, subscribing } from "./hooks-backend.js";
import { refusal } from "../support/socket.js";
import { codeOf, eventually, request, Stage } from "./stage.js";

const outcome = (asked: Promise<unknown> | undefined): Promise<string> =>
  (asked as Promise<unknown>).then(
    () => "ok",
    (error: unknown) => (error as BellwireError).code,
  );

describe("questions of many sites", () => {
  const stage = Stage.forEachTest();

  it("have their turns by site: a flood waits for itself", async () => {
    const backend = await HookBackend.open(stage, async () => {
      await pause(1);
      return {};
    });
    const { hooks } = await hooksOf(stage, { subscribe: { url: backend.url, concurrency: 4, timeout: "30s" } });
    const flood = Array.from({ length: 3000 }, (_, i) =>
      outcome(hooks.subscribe(subscribing(`t${i}`, { site: "attacker", connection: `socket${i % 2}` }))),
    );
    const victims = Array.from({ length: 40 }, (_, i) =>
      outcome(hooks.subscribe(subscribing(`t${i}`, { site: "victim", connection: `v${i}` }))),
    );
    expect(new Set(await Promise.all(victims))).to.deep.equal(new Set(["ok"]));
    const of = (site: string): number => backend.asked.filter(({ body }) => body.site === site).length;
    expect(of("attacker"), "as many of the others as of one's own").to.be.below(40 + 2 * 4);
    expect(new Set(await Promise.all(flood))).to.deep.equal(new Set(["ok", "limit"]));
    expect(of("attacker")).to.be.at.most(1004);
  });

  it("have their turns by connection, of newcomers and of those who are there", async () => {
    const backend = await HookBackend.open(stage, async () => {
      await pause(1);
      return { user: "" };
    });
    const { hooks } = await hooksOf(stage, {
      connect: { url: backend.url, concurrency: 1, queue: 100, timeout: "30s" },
      subscribe: { url: backend.url, concurrency: 1, queue: 100, timeout: "30s" },
    });
    const flood = Array.from({ length: 300 }, (_, i) => outcome(hooks.connect(connecting({ connection: `s${i}` }))));
    const login = outcome(hooks.connect(connecting({ connection: "ann", claims: { sub: "ann" } })));
    const heavy = Array.from({ length: 300 }, (_, i) => outcome(hooks.subscribe(subscribing(`t${i}`, { connection: "heavy" }))));
    const light = Array.from({ length: 5 }, (_, i) => outcome(hooks.subscribe(subscribing(`t${i}`, { connection: "light" }))));
    expect(await login).to.equal("ok");
    expect(new Set(await Promise.all(light))).to.deep.equal(new Set(["ok"]));
    expect(backend.asked.length, "and soon").to.be.below(30);
    await Promise.all([...flood, ...heavy]);
  });

  it("leave some of what a backend does at a time to other sites, where it hangs for one", async () => {
    const backend = await HookBackend.open(stage, ({ body }) => (body.site === "attacker" ? silence() : {}));
    const { hooks } = await hooksOf(stage, { subscribe: { url: backend.url, concurrency: 20, timeout: "2s" } });
    const flood = Array.from({ length: 200 }, (_, i) =>
      outcome(hooks.subscribe(subscribing(`t${i}`, { site: "attacker", connection: `${i}` }))),
    );
    await eventually(() => backend.open === 18, "the attacker has what it may have");
    for (let i = 0; i < 20; i++) expect(await outcome(hooks.subscribe(subscribing(`t${i}`, { site: "victim" })))).to.equal("ok");
    expect(backend.open).to.equal(18);
    await hooks.close();
    await Promise.all(flood);
  });

  it("that are identical are asked once, and nobody waits in another's line for it", async () => {
    const backend = await HookBackend.open(stage, async () => {
      await pause(1);
      return { info: "here" };
    });
    const { hooks } = await hooksOf(stage, { subscribe: { url: backend.url, concurrency: 1, timeout: "30s" } });
    const nobody = { user: "", session: "" };
    const flood = Array.from({ length: 500 }, (_, i) => hooks.subscribe(subscribing(`t${i}`, { ...nobody, connection: "attacker" })));
    const last = Array.from({ length: 20 }, (_, i) => hooks.subscribe(subscribing("t499", { ...nobody, connection: `v${i}` })));
    for (const reply of await Promise.all(last)) expect(reply).to.deep.include({ info: "here" });
    expect(backend.asked.length).to.be.below(20);
    for (const reply of await Promise.all(flood)) expect(reply).to.deep.include({ info: "here" });
    expect(backend.asked.filter(({ body }) => body.topic === "t499")).to.have.length(1);
    expect(backend.asked).to.have.length(500);
  });

  it("are bounded in a second for each connection and each site, and none of it is silent", async () => {
    const backend = await HookBackend.open(stage);
    const refused: string[] = [];
    const observed = new Map<string, number>();
    const hooks = createHttpHooks(await settingsOf(stage, { subscribe: { url: backend.url }, connect: { url: backend.url } }), {
      appKey: APP_KEY,
      limitsOf: (site) => ({ questionsPerSecond: 2, siteQuestionsPerSecond: site === "small" ? 3 : 1000 }),
      onRefused: (site, { code, after }) => refused.push(`${site} ${code} ${after !== undefined && after > 0}`),
      observe: (_event, name) => observed.set(name, (observed.get(name) ?? 0) + 1),
    });
    stage.closeLater(() => hooks.close());
    const ask = (site: string, connection: string, count: number): Promise<string[]> =>
      Promise.all(Array.from({ length: count }, (_, i) => outcome(hooks.subscribe(subscribing(`t${i}`, { site, connection })))));
    const okOf = (codes: string[]): number => codes.filter((code) => code === "ok").length;
    expect(okOf(await ask("large", "one", 100))).to.be.within(20, 21);
    expect(okOf(await ask("large", "two", 10))).to.equal(10);
    expect(okOf((await Promise.all(["a", "b", "c"].map((each) => ask("small", each, 20)))).flat())).to.be.within(30, 32);
    const connects = Array.from({ length: 10 }, (_, i) => outcome(hooks.connect(connecting({ site: "small", connection: `c${i}` }))));
    expect(await Promise.all(connects)).to.include("limit");
    expect(new Set(refused)).to.deep.equal(new Set(["large limit true", "small limit true"]));
    expect(observed.get("limited")).to.equal(refused.length);
    expect(backend.asked).to.have.length(observed.get("ok") as number);
  });
});

describe("a relay with hooks beside an attacker", () => {
  const stage = Stage.forEachTest();

  it("answers another site's subscribers and logins, and says who is refused", async () => {
    const backend = await HookBackend.open(stage, async ({ body }) => {
      await pause(5);
      return body.event === "connect" ? { user: (body.data as { user?: string } | null)?.user ?? "" } : {};
    });
    const lines: string[] = [];
    const { url } = backend;
    const relay = await stage.relay({
      file: { hooks: { connect: { url, concurrency: 10 }, subscribe: { url, concurrency: 10, onFailure: "allow" } } },
      onLog: (line) => lines.push(line),
    });
    const enter = (site: string, user: string): ReturnType<Stage["client"]> =>
      stage.client(relay, { site, auth: { v: 1, data: { user } } });
    const attackers = [enter("attacker", "a"), enter("attacker", "b")];
    const victim = enter("victim", "v");
    await Promise.all([...attackers, victim].map((client) => client.hello));
    const frame = (n: number): object[] => Array.from({ length: 1000 }, (_, i) => ({ id: `${n}.${i}`, topic: `forbidden${n}.${i}` }));
    const floods = attackers.map((client) => client.emit<{ results: [] }>("subscribe", frame(0)));
    const strangers = Array.from({ length: 50 }, () => enter("attacker", ""));
    const logins = Array.from({ length: 20 }, (_, i) => enter("victim", `u${i}`));
    const items = Array.from({ length: 40 }, (_, i) => ({ id: `${i}`, topic: `mine${i}` }));
    const { results } = await victim.emit<{ results: [] }>("subscribe", items);
    expect(new Set(results.map(codeOf))).to.deep.equal(new Set(["accepted"]));
    for (const login of logins) expect((await login.hello).user).to.match(/^u/);
    const answers = (await Promise.all(floods)).flatMap((each) => each.results.map(codeOf));
    const asked = backend.asked.filter(({ body }) => body.site === "attacker" && body.event === "subscribe").length;
    expect(answers.filter((code) => code === "accepted").length, "nobody is let in who was not asked about").to.be.at.most(asked);
    const more = await attackers[0]?.emit<{ results: [] }>("subscribe", frame(1));
    expect(new Set(more?.results.map(codeOf)))
      .to.include("limit")
      .and.not.to.include("forbidden");
    expect(lines.join("\n")).to.match(/site attacker: 1 question refused with limit: Too many/);
    const metrics = (await request(`${relay.httpUrl}/metrics`)).text;
    expect(metrics).to.match(/bellwire_hook_questions_total\{event="subscribe",outcome="(limited|overloaded)"\} [1-9]/);
    for (const stranger of strangers) await stranger.hello.catch(() => undefined);
  });

  it("refuses a site that asks too often, as its settings say, and no other", async () => {
    const backend = await HookBackend.open(stage, () => ({ user: "1" }));
    const relay = await stage.relay({
      file: { hooks: { connect: { url: backend.url } }, sites: { small: { limits: { siteQuestionsPerSecond: 1 } } } },
    });
    const codes: string[] = [];
    for (let i = 0; i < 14; i++) {
      const client = stage.client(relay, { site: "small", auth: { v: 1 } });
      codes.push(
        await client.hello.then(
          () => "ok",
          (error: { data: { code: string } }) => error.data.code,
        ),
      );
      client.close();
    }
    expect(codes.slice(0, 10)).to.deep.equal(Array.from({ length: 10 }, () => "ok"));
    expect(codes).to.include("limit");
    const client = stage.client(relay, { site: "large", auth: { v: 1 } });
    expect((await client.hello).user).to.equal("1");
    expect((await refusal(stage.client(relay, { site: "small", auth: { v: 1 } }))).retry).to.equal("later");
  });
});

import { execFile } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import type { Context } from "mocha";
import type { SubscribeResult } from "@bellwire/protocol";
import { Backend } from "../backends/backend.js";
import { newSecret, signature, signed } from "../backends/sign.js";
import { requires } from "../house/requires.js";
import { refusal } from "../support/socket.js";
import { codeOf, Stage } from "../server/stage.js";
import { expectOneLine, run } from "./command.js";

const exec = promisify(execFile);

interface Case {
  readonly question: object;
  readonly answer: object;
}

const asker = { v: 1, site: "5", user: "42", session: "", client: "page", connection: "c1", headers: {}, info: null };
const nobody = { ...asker, user: "" };
const UNTIL = "in an hour";

/** What each event's starting point answers. */
const cases: Readonly<Record<string, readonly Case[]>> = {
  connect: [
    {
      question: { ...nobody, event: "connect", data: null, claims: { sub: "42", site: "5" } },
      answer: { user: "42", info: { name: "User 42" }, until: UNTIL, subscriptions: [{ topic: "news", filter: {} }], grants: [] },
    },
    {
      question: { ...nobody, event: "connect", data: { user: "1" }, headers: { cookie: "session=x" } },
      answer: { error: { code: "signed-out", message: "Sign in first" } },
    },
  ],
  refresh: [
    { question: { ...asker, event: "refresh" }, answer: { until: UNTIL } },
    { question: { ...nobody, event: "refresh" }, answer: { disconnect: { code: "signed-out", reason: "Sign in again" } } },
  ],
  subscribe: [
    { question: { ...asker, event: "subscribe", topic: "user.42", filter: {}, params: { id: "42" } }, answer: { until: UNTIL } },
    { question: { ...nobody, event: "subscribe", topic: "news", filter: { id: [1, 2] }, params: {} }, answer: {} },
    {
      question: { ...asker, event: "subscribe", topic: "user.43", filter: {}, params: {} },
      answer: { error: { code: "forbidden", message: "This is not for you: user.43" } },
    },
    {
      question: { ...nobody, event: "subscribe", topic: "user.", filter: {}, params: {} },
      answer: { error: { code: "forbidden", message: "This is not for you: user." } },
    },
  ],
  publish: [
    {
      question: { ...asker, event: "publish", topic: "chat", data: { text: " grüß dich ", user: "1" } },
      answer: { data: { text: "grüß dich", user: "42" } },
    },
    ...[{ text: " " }, { text: 5 }, {}, { text: "ü".repeat(501) }].map((data) => ({
      question: { ...asker, event: "publish", topic: "chat", data },
      answer: { error: { code: "bad-message", message: "A message is a text of at most 1,000 bytes" } },
    })),
    {
      question: { ...nobody, event: "publish", topic: "chat", data: { text: "hello" } },
      answer: { error: { code: "forbidden", message: "Sign in first" } },
    },
  ],
  rpc: [
    { question: { ...asker, event: "rpc", method: "ping", data: null }, answer: { data: "pong" } },
    { question: { ...asker, event: "rpc", method: "whoami", data: [] }, answer: { data: { user: "42" } } },
    {
      question: { ...nobody, event: "rpc", method: "whoami", data: null },
      answer: { error: { code: "forbidden", message: "Sign in first" } },
    },
    { question: { ...asker, event: "rpc", method: "double", data: { n: 21 } }, answer: { data: 42 } },
    ...[null, [], "n", {}, { n: "two" }].map((data) => ({
      question: { ...asker, event: "rpc", method: "double", data },
      answer: { error: { code: "no-number", message: "n is a number" } },
    })),
  ],
  notices: [
    { question: { v: 1, events: [{ event: "connected", site: "5", user: "42" }] }, answer: {} },
    { question: { v: 1, event: "notices", events: [] }, answer: {} },
  ],
};

/** How each language's file is started, on a port. */
const languages: Readonly<
  Record<string, { extension: string; start: (file: string, context: Context) => Promise<(port: number) => [string, ...string[]]> }>
> = {
  php: {
    extension: "php",
    start: async (file, context) => {
      const php = requires("php", context);
      return (port) => [php, "-S", `127.0.0.1:${port}`, file];
    },
  },
  ruby: {
    extension: "rb",
    start: async (file, context) => {
      const ruby = requires("ruby", context);
      return () => [ruby, "-W", file];
    },
  },
  python: {
    extension: "py",
    start: async (file, context) => {
      const python = requires("python3", context);
      return () => [python, "-W", "error", file];
    },
  },
  go: {
    extension: "go",
    start: async (file, context) => {
      // `go run` would leave its child behind.
      await exec(requires("go", context), ["build", "-o", `${file}.out`, file]);
      return () => [`${file}.out`];
    },
  },
  node: { extension: "mjs", start: async (file) => () => [process.execPath, file] },
};

describe("the command bellwire new hook", function () {
  // Go compiles.
  this.timeout(90_000);
  const stage = Stage.forEachTest();
  const secret = newSecret();
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "bellwire-hooks-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Has a file written, and runs it. */
  async function backend(event: string, lang: string, context: Context): Promise<Backend> {
    const { extension, start } = languages[lang] as (typeof languages)[string];
    const file = join(await mkdtemp(join(folder, `${lang}-`)), `${event}.${extension}`);
    const { status, stdout, stderr } = await run(stage, ["new", "hook", event, "--lang", lang, "--out", file]);
    expect([status, stdout], stderr).to.deep.equal([0, ""]);
    expect(stderr)
      .to.include(`Wrote ${file}.`)
      .and.to.match(/HOOK_SECRET=whsec_[A-Za-z0-9+/=]{44} /);
    const command = await start(file, context);
    const running = await Backend.start({ command, env: { HOOK_SECRET: secret } });
    stage.closeLater(() => running.stop());
    return running;
  }

  /** With a moment about an hour from now in place of the number. */
  function answerOf(body: Record<string, unknown>): object {
    if (typeof body.until !== "number") return body;
    expect(body.until).to.be.closeTo(Date.now() / 1000 + 3600, 60);
    return { ...body, until: UNTIL };
  }

  for (const lang of Object.keys(languages)) {
    for (const [event, questions] of Object.entries(cases)) {
      it(`writes a ${lang} program that answers ${event}`, async function () {
        const running = await backend(event, lang, this);
        for (const { question, answer } of questions) {
          const { status, body } = await running.ask(question);
          expect(status, JSON.stringify(body)).to.equal(200);
          // PHP writes an empty map as [], which counts as {}.
          expect(Array.isArray(body) && body.length === 0 ? {} : answerOf(body)).to.deep.equal(answer);
        }
        await refusesWhatIsNotSigned(running, questions[0] as Case);
        const other = event === "rpc" ? { ...asker, event, method: "nothing", data: null } : { ...asker, event: "rpc", method: "ping" };
        expect((await running.ask(other)).status).to.equal(404);
      });
    }
  }

  const stores: Readonly<Record<string, string>> = {
    php: "return null;",
    ruby: "nil # your",
    python: "return None  # your",
    node: "return undefined; // your",
  };
  for (const [lang, none] of Object.entries(stores)) {
    it(`writes a ${lang} program in which a user's id may be a number`, async function () {
      const { extension, start } = languages[lang] as (typeof languages)[string];
      const { stdout } = await run(stage, ["new", "hook", "connect", "--lang", lang]);
      expect(stdout.split(none)).to.have.length(2);
      const file = await stage.file(`connect.${extension}`, stdout.replace(none, none.replace(/null|nil|None|undefined/, "7")));
      const running = await Backend.start({ command: await start(file, this), env: { HOOK_SECRET: secret } });
      stage.closeLater(() => running.stop());
      const { body } = await running.ask({ ...nobody, event: "connect", data: null, headers: { cookie: "session=x" } });
      expect(body).to.deep.include({ user: "7", info: { name: "User 7" } });
    });
  }

  /** A 401 without an `error`: the relay then tells its own log what may be wrong. */
  async function refusesWhatIsNotSigned(running: Backend, { question }: Case): Promise<void> {
    const body = JSON.stringify(question);
    const now = Date.now() / 1000;
    const good = signed(secret, body);
    const unsigned: Record<string, string>[] = [
      {},
      { ...good, "webhook-signature": "" },
      { ...good, "webhook-signature": good["webhook-signature"].replace("v1,", "v1a,") },
      { ...good, "webhook-signature": `${good["webhook-signature"]}=` },
      { ...good, "webhook-id": "another" },
      { ...good, "webhook-timestamp": `${good["webhook-timestamp"]}.0` },
      { ...good, "webhook-timestamp": "soon" },
      signed(newSecret(), body),
      signed(secret, `${body} `),
      signed(secret, body, { at: now - 400 }),
      signed(secret, body, { at: now + 400 }),
      { ...good, "webhook-signature": `v1,${createHmac("sha256", "").update(body).digest("base64")}` },
    ];
    for (const headers of unsigned) {
      const reply = await running.post("/", body, "", headers);
      expect(reply.status, JSON.stringify(headers)).to.equal(401);
      expect(reply.body).to.have.all.keys("problem");
    }
    // While a secret is being changed there are several signatures.
    const { "webhook-id": id, "webhook-timestamp": timestamp } = good;
    const both = `${signature(newSecret(), id, timestamp, body)} ${good["webhook-signature"]}`;
    expect((await running.post("/", body, "", { ...good, "webhook-signature": both })).status).to.equal(200);
  }

  for (const lang of ["ruby", "python", "go", "node"]) {
    it(`writes a ${lang} program that does not start without a secret`, async function () {
      const { extension, start } = languages[lang] as (typeof languages)[string];
      const file = join(folder, `secretless.${extension}`);
      const { stdout } = await run(stage, ["new", "hook", "rpc", "--lang", lang]);
      await writeFile(file, stdout);
      const command = await start(file, this);
      const failed = await Backend.start({ command, env: {} }).then(
        (running) => running.stop(),
        (error: Error) => error,
      );
      expect(failed).to.be.an("error").with.property("message").that.includes("HOOK_SECRET is not set");
    });
  }

  it("writes programs that a relay can be told to ask", async function () {
    const [connect, subscribe, rpc] = await Promise.all(["connect", "subscribe", "rpc"].map((event) => backend(event, "node", this)));
    const hooks = { secret, connect: { url: connect?.url }, subscribe: { url: subscribe?.url }, rpc: { url: rpc?.url } };
    const relay = await stage.relay({ file: { hooks } });
    const client = await stage.connect(relay, { claims: { sub: "42" } });
    const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", [
      { id: "1", topic: "user.42" },
      { id: "2", topic: "user.43" },
    ]);
    expect(results.map(codeOf)).to.deep.equal(["accepted", "forbidden"]);
    expect(results[1]).to.have.nested.property("error.reason.message", "This is not for you: user.43");
    expect(await client.emit("rpc", { method: "ping" })).to.deep.equal({ data: "pong" });
    expect(await client.emit("rpc", { method: "nothing" })).to.have.nested.property("error.code", "not-found");
    const { error } = await client.emit<{ error: object }>("rpc", { method: "double", data: {} });
    expect(error).to.deep.include({ code: "rejected", retry: "never", reason: { code: "no-number", message: "n is a number" } });
    const stranger = stage.client(relay, { auth: { v: 1, data: { user: "42" } } });
    expect(await refusal(stranger)).to.deep.include({ code: "rejected", reason: { code: "signed-out", message: "Sign in first" } });
  });

  it("prints to standard output without --out, and overwrites nothing", async () => {
    const { status, stdout, stderr } = await run(stage, ["new", "hook", "subscribe", "--lang", "node"]);
    expect(status).to.equal(0);
    expect(stdout)
      .to.include("subscribe(")
      .and.not.to.match(/@if|@end|\{\{|connect\(/);
    expect(stderr).to.include("subscribe: { url:");
    const file = join(folder, "mine.mjs");
    await writeFile(file, "mine");
    expectOneLine(await run(stage, ["new", "hook", "subscribe", "--lang", "node", "--out", file]), 2, "is there already");
    expect(await readFile(file, "utf8")).to.equal("mine");
    expectOneLine(
      await run(stage, ["new", "hook", "rpc", "--lang", "go", "--out", join(folder, randomBytes(4).toString("hex"), "a.go")]),
      1,
      "ENOENT",
    );
  });

  it("writes Go as gofmt does", async function () {
    const gofmt = join(requires("go", this), "../gofmt");
    for (const event of Object.keys(cases)) {
      const { stdout } = await run(stage, ["new", "hook", event, "--lang", "go"]);
      const file = await stage.file("hook.go", stdout);
      expect((await exec(gofmt, ["-d", file])).stdout, event).to.equal("");
    }
  });
});

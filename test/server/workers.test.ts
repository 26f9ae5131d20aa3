import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { createEmitter, type Emitter } from "@bellwire/emitter";
import { requires } from "../house/requires.js";
import { RelayProcess, SERVE } from "../support/relay-process.js";
import { TestRedis } from "../support/redis.js";
import { RawClient } from "../support/socket.js";
import { stablePort } from "../support/stable-port.js";
import { eventually, eventuallyAsked, type PublishResult } from "./stage.js";

const APP_KEY = "k".repeat(40);
const API_KEY = "a".repeat(24);

describe("a relay with several workers", function () {
  this.timeout(60_000);
  let redis: TestRedis;
  let dir: string | undefined;
  let env: Record<string, string>;
  let relay: RelayProcess;
  let emitter: Emitter;
  const clients: RawClient[] = [];

  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
    dir = await mkdtemp(join(tmpdir(), "bellwire-workers-"));
    const config = join(dir, "bellwire.yaml");
    await writeFile(config, JSON.stringify({ drain: { accept: "2s", spread: "1s" } }));
    env = { APP_KEY, REALTIME_API_KEY: API_KEY, REDIS_URL: redis.url, REALTIME_CONFIG: config };
    relay = await RelayProcess.start(env, [...SERVE, "--workers", "2"]);
    emitter = createEmitter({ redis: redis.url });
  });
  after(async () => {
    for (const client of clients) client.close();
    await emitter?.close();
    await relay?.stop();
    await redis?.stop();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  /** Asks the relay to publish, by way of the primary or of a port of a worker's own. */
  async function post(
    body: object,
    base = relay.url,
    patience = 10_000,
  ): Promise<{ status: number; connection: string | null; results: PublishResult[] }> {
    const answer = await fetch(`${base}/v1/sites/5/publish`, {
      method: "POST",
      headers: { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(patience),
    });
    const { results = [] } = (await answer.json().catch(() => ({}))) as { results?: PublishResult[] };
    return { status: answer.status, connection: answer.headers.get("connection"), results };
  }

  /** The processes of the workers. */
  function workersOf({ pid }: RelayProcess): number[] {
    // It fails where there are none.
    return (spawnSync("pgrep", ["-P", String(pid)], { encoding: "utf8" }).stdout.match(/\d+/g) ?? []).map(Number);
  }

  async function client(transports: string[]): Promise<RawClient> {
    const made = new RawClient({ url: relay.url, appKey: APP_KEY, transports });
    clients.push(made);
    await made.hello;
    await made.subscribe({ id: "s", topic: "T" });
    return made;
  }

  it("brings what is published once to each client once, whatever its worker and transport", async () => {
    const all = await Promise.all(
      [["websocket"], ["polling"], ["polling", "websocket"], ["websocket"], ["polling"], ["websocket"]].map(client),
    );
    for (let id = 1; id <= 20; id++) await emitter.site("5").publish("T", { id });
    for (const each of all) {
      await each.until(() => each.messages("T").length >= 20);
      expect(each.messages("T").map(([offset]) => offset)).to.deep.equal(Array.from({ length: 20 }, (_, i) => i + 1));
    }
  });

  it("takes publishes through the primary, whether in one piece or in many", async () => {
    const watcher = await client(["websocket"]);
    const small = await Promise.all(Array.from({ length: 20 }, (_, i) => post({ topic: "T", data: { small: i } })));
    for (const { status, results } of small) expect([status, results.length]).to.deep.equal([200, 1]);
    const text = "x".repeat(3000);
    const messages = Array.from({ length: 200 }, (_, i) => ({ topic: "T", data: { large: i, text } }));
    const large = await post({ messages });
    expect(large.status).to.equal(200);
    expect(large.results.filter(({ error }) => error !== undefined)).to.deep.equal([]);
    await watcher.until(() => watcher.messages("T").length === 220);
    expect(new Set(watcher.messages("T").map(([offset]) => offset)).size).to.equal(220);
    expect((await post({ topic: "not a topic" })).status).to.equal(400);
  });

  it("answers on an internal port for each worker, and there alone", async () => {
    const internal = await twoPorts();
    const second = await RelayProcess.start({ ...env, REALTIME_INTERNAL_PORT: String(internal) }, [...SERVE, "--workers", "2"]);
    try {
      for (const port of [internal, internal + 1]) {
        const base = `http://127.0.0.1:${port}`;
        await eventuallyAsked(async () => (await status(`${base}/readyz`)) === 200, `the worker at ${port} is ready`);
        expect(await status(`${base}/metrics`)).to.equal(200);
        expect((await post({ topic: "T", data: { by: port } }, base)).status).to.equal(200);
      }
      for (const path of ["/metrics", "/v1/openapi.json"]) expect(await status(second.url + path), path).to.equal(404);
      expect((await post({ topic: "T" }, second.url)).status).to.equal(404);
    } finally {
      await second.stop();
    }
  });

  it("goes on when a worker is killed, and starts another", async () => {
    for (const each of clients.splice(0)) each.close();
    // One after the other: the primary goes by how many a worker has told of.
    const all: RawClient[] = [];
    for (let i = 0; i < 6; i++) all.push(await client(["websocket"]));
    const gone = new Set<RawClient>();
    for (const each of all) each.socket.once("disconnect", () => gone.add(each));
    const [killed, kept] = workersOf(relay) as [number, number];
    process.kill(killed, "SIGKILL");
    // What was on its way to the killed worker is lost; asked again, the other one answers.
    const again = { topic: "T", data: { id: 20 }, idempotencyKey: "killed" };
    await eventuallyAsked(
      () =>
        post(again, relay.url, 1000)
          .then(({ status: answered }) => answered === 200)
          .catch(() => false),
      "the other one takes it",
    );
    await eventually(() => all.every((each) => gone.has(each) || each.messages("T").length === 1), "whoever stayed hears it, once");
    await eventuallyAsked(async () => workersOf(relay).length === 2 && !workersOf(relay).includes(killed), "another is started", 20_000);
    expect(workersOf(relay)).to.include(kept);
    const after = await client(["websocket"]);
    const position = await emitter.site("5").publish("T", { id: 21 });
    await after.until(() => after.messages("T").length === 1);
    expect(after.messages("T")[0]?.[0]).to.equal(position?.offset);
  });

  it("outlives its workers, with requests on their way to them", async () => {
    // A worker's death, slowly: its channel is gone, and it will be for a while until the primary is told that it has ended.
    const slow = "process.prependOnceListener('disconnect', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000))";
    const dying = Buffer.from(`process.on("SIGUSR2", () => { ${slow}; process.disconnect(); })`).toString("base64");
    const NODE_OPTIONS = `--import=data:text/javascript;base64,${dying}`;
    const second = await RelayProcess.start({ ...env, NODE_OPTIONS }, [...SERVE, "--workers", "2"]);
    try {
      const killed = workersOf(second);
      for (const pid of killed) process.kill(pid, "SIGUSR2");
      await eventuallyAsked(async () => {
        await post({ topic: "T", data: { id: 22 } }, second.url, 1000).catch(() => undefined);
        return !second.running || workersOf(second).filter((pid) => !killed.includes(pid)).length === 2;
      }, "two others are started");
      expect(second.running).to.equal(true);
      await eventuallyAsked(async () => (await status(`${second.url}/readyz`)) === 200, "they are ready");
    } finally {
      await second.stop();
    }
  });

  it("drains them all: clients are told, publishes are answered to the end, and nothing is left", async () => {
    const all = await Promise.all([client(["websocket"]), client(["websocket"]), client(["polling"])]);
    const told = all.map((each) => new Promise((resolve) => each.socket.once("draining", resolve)));
    const pids = workersOf(relay);
    const ended = relay.kill("SIGTERM");
    await Promise.all(told);
    const answered: string[] = [];
    const publishing = (async () => {
      for (let id = 1; ; id++) {
        const key = `drain-${id}`;
        const answer = await post({ topic: "D", data: { id }, idempotencyKey: key }).catch(() => undefined);
        if (answer?.status !== 200) return;
        answered.push(key);
        expect(answer.connection).to.equal("close");
      }
    })();
    await ended;
    await publishing;
    expect(answered.length).to.be.above(0);
    for (const pid of pids) expect(() => process.kill(pid, 0), `worker ${pid} has ended`).to.throw();
    await eventually(() => all.every(({ socket }) => !socket.connected), "every client has noticed");
    const raw = redis.client();
    const entries = await raw.xlen("bellwire:0:{5:D}");
    raw.disconnect();
    // The first entry opens the log. One more may have gone in whose answer was cut off with the last worker.
    expect(entries - 1).to.be.within(answered.length, answered.length + 1);
  });
});

async function status(url: string): Promise<number | undefined> {
  return fetch(url, { signal: AbortSignal.timeout(2000) }).then(
    (answer) => answer.status,
    () => undefined,
  );
}

/** A free port whose next one is free, too. */
async function twoPorts(): Promise<number> {
  for (;;) {
    const port = await stablePort();
    const next = createServer().listen(port + 1, "127.0.0.1");
    const free = await Promise.race([once(next, "listening").then(() => true), once(next, "error").then(() => false)]);
    if (!free) continue;
    next.close();
    await once(next, "close");
    return port;
  }
}

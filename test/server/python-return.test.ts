import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { createEmitter, type Emitter } from "@bellwire/emitter";
import { requires } from "../house/requires.js";
import { RelayProcess } from "../support/relay-process.js";
import { TestRedis } from "../support/redis.js";
import { Switch } from "../support/switch.js";

const script = fileURLToPath(new URL("python/return.py", import.meta.url));
const APP_KEY = "k".repeat(40);
const SITE = "5";

interface Line {
  readonly event: "message" | "subscribed" | "bye" | "refused" | "told" | "over";
  readonly [field: string]: unknown;
}

describe("Python's socketio comes back by itself, and has heard everything once", function () {
  this.timeout(60_000);
  let python = "";
  let redis: TestRedis;
  let emitter: Emitter;
  let dir = "";
  let relays: [RelayProcess, RelayProcess];
  let balancer: Switch;
  let client: ChildProcess;
  let lines: Line[];
  let errors: string;
  let look = (): void => undefined;
  let published: number;

  before(async function () {
    python = requires("python3-socketio", this);
    requires("redis-server", this);
    redis = await TestRedis.start();
    dir = await mkdtemp(join(tmpdir(), "bellwire-python-"));
    const file = join(dir, "bellwire.yaml");
    await writeFile(file, "drain: { accept: 200ms, spread: 200ms, rate: 100 }\n");
    const env = { APP_KEY, REDIS_URL: redis.url, REALTIME_CONFIG: file };
    relays = [await RelayProcess.start(env), await RelayProcess.start(env)];
    balancer = await Switch.open(relays[0].port);
    emitter = createEmitter({ redis: redis.url });
  });
  after(async () => {
    await emitter?.close();
    await balancer?.close();
    for (const relay of relays ?? []) await relay.stop();
    await redis?.stop();
    if (dir !== "") await rm(dir, { recursive: true });
  });
  afterEach(() => client?.kill("SIGKILL"));

  function start(transport: string): void {
    lines = [];
    errors = "";
    published = 0;
    const settings = { url: `http://127.0.0.1:${balancer.port}`, site: SITE, key: APP_KEY, transport };
    client = spawn(python, [script, JSON.stringify(settings)]);
    client.stderr?.on("data", (data: Buffer) => (errors += data.toString()));
    client.once("close", () => look());
    createInterface(client.stdout as NodeJS.ReadableStream).on("line", (line) => {
      lines.push(JSON.parse(line) as Line);
      look();
    });
  }

  /** Resolves when so many lines of this kind are there. */
  function said(event: Line["event"], count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      look = () => {
        if (of(event).length >= count) resolve();
        else if (client.exitCode !== null) reject(new Error(`Python ended: ${JSON.stringify(lines)}${errors}`));
      };
      look();
    });
  }

  const of = (event: Line["event"]): Line[] => lines.filter((line) => line.event === event);

  /** One message, heard after all before it. */
  async function hears(): Promise<void> {
    await emitter.site(SITE).publish("news", { n: ++published });
    await said("message", published);
  }

  for (const transport of ["websocket", "polling"]) {
    it(`by ${transport}: after a bye of each retry but never, a refusal, a drain and a kill`, async () => {
      balancer.target = relays[0].port;
      start(transport);
      await said("subscribed", 1);
      await hears();

      for (const code of ["unavailable", "revoked"] as const) {
        const back = of("subscribed").length + 1;
        await emitter.site(SITE).user("ann").disconnect({ code });
        await said("bye", back - 1);
        await emitter.site(SITE).publish("news", { n: ++published });
        await said("subscribed", back);
        await hears();
      }

      client.stdin?.write("expire\n");
      await said("told", 1);
      await emitter.site(SITE).user("ann").disconnect({ code: "unavailable" });
      await said("refused", 1);
      expect(of("refused")[0]?.error).to.have.nested.property("data.code", "token-expired");
      await said("subscribed", 4);
      await hears();

      balancer.target = relays[1].port;
      await relays[0].kill("SIGTERM");
      await emitter.site(SITE).publish("news", { n: ++published });
      await said("subscribed", 5);
      await hears();
      expect(of("bye").at(-1)).to.include({ retry: "later" });

      await relays[0].run();
      balancer.target = relays[0].port;
      await relays[1].kill();
      await emitter.site(SITE).publish("news", { n: ++published });
      await said("subscribed", 6);
      await hears();
      await relays[1].run();

      await emitter.site(SITE).user("ann").disconnect();
      await said("over", 1);
      expect(of("bye").map(({ retry }) => retry)).to.deep.equal(["later", "refresh", "later", "later", "never"]);
      expect(of("subscribed").map(({ resync }) => resync)).to.deep.equal([false, false, false, false, false, false]);
      expect(of("message").map(({ n }) => n)).to.deep.equal(Array.from({ length: published }, (_, i) => i + 1));
    });
  }
});

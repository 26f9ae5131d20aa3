import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../house/tree.js";
import { TestRedis } from "../support/redis.js";
import { stablePort } from "../support/stable-port.js";

export const SITE = "5";

/** The built command, which is what the deployment files start. */
const COMMAND = join(root, "server/bin/bellwire.js");

/** Waits until something that can't be listened for has become so. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  for (const end = Date.now() + ms; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    if (await condition()) return;
    if (Date.now() > end) throw new Error(`It did not happen within ${ms} ms: ${what}`);
  }
}

/** A relay in a process of its own, with the settings of a deployment. */
export class RelayProcess {
  readonly port: number;
  readonly internalPort: number;
  readonly #env: NodeJS.ProcessEnv;
  readonly #dir: string;
  readonly #command: string;
  #process: ChildProcess | undefined;

  constructor(port: number, internalPort: number, dir: string, env: Readonly<Record<string, string>>, command = COMMAND) {
    this.port = port;
    this.internalPort = internalPort;
    this.#dir = dir;
    this.#command = command;
    this.#env = {
      PATH: process.env.PATH,
      NODE_ENV: "production",
      REALTIME_WS_PORT: String(port),
      REALTIME_WS_HOST: "127.0.0.1",
      REALTIME_INTERNAL_PORT: String(internalPort),
      REALTIME_PUBLIC_URL: "ws://localhost/ws",
      ...env,
    };
  }

  /** Starts it, again where it was killed, and waits until it is ready. */
  async run(): Promise<void> {
    const child = spawn(process.execPath, [this.#command, "serve"], { cwd: this.#dir, env: this.#env, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data: Buffer) => {
        printed = (printed + data.toString()).slice(-10_000);
      });
    }
    await eventually("a relay is ready", async () => {
      if (child.exitCode !== null) throw new Error(`The relay ended (is it built? npm run build):\n${printed}`);
      return (await statusOf(`http://127.0.0.1:${this.port}/readyz`)) === 200;
    });
  }

  /** Ends it, and gives its exit code; null where the signal killed it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#process;
    if (child === undefined) return null;
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill(signal);
      await ended;
    }
    return child.exitCode;
  }

  async publish(apiKey: string, topic: string, data: object): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${this.internalPort}/v1/sites/${SITE}/publish`, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ topic, data }),
    });
    const body = await response.text();
    if (!response.ok || body.includes('"error"')) throw new Error(`A publish failed: ${response.status} ${body}`);
  }

  /** How many clients it has. */
  async connections(): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.internalPort}/metrics`)).text();
    return Number(/^bellwire_connections (\d+)$/m.exec(text)?.[1]);
  }
}

/** Several relays and their Redis. */
export class Relays {
  readonly appKey: string;
  readonly apiKey: string;
  readonly all: readonly RelayProcess[];
  readonly #redis: TestRedis;
  readonly #dir: string;

  private constructor(all: readonly RelayProcess[], redis: TestRedis, dir: string, keys: { appKey: string; apiKey: string }) {
    this.all = all;
    this.#redis = redis;
    this.#dir = dir;
    this.appKey = keys.appKey;
    this.apiKey = keys.apiKey;
  }

  static async start(count: number): Promise<Relays> {
    const redis = await TestRedis.start();
    const dir = await mkdtemp(join(tmpdir(), "bellwire-relays-"));
    const keys = { appKey: `base64:${randomBytes(32).toString("base64")}`, apiKey: randomBytes(16).toString("hex") };
    const env = { APP_KEY: keys.appKey, REALTIME_API_KEY: keys.apiKey, REDIS_URL: redis.url };
    const all: RelayProcess[] = [];
    for (let i = 0; i < count; i++) all.push(new RelayProcess(await stablePort(), await stablePort(), dir, env));
    const relays = new Relays(all, redis, dir, keys);
    try {
      await Promise.all(all.map((relay) => relay.run()));
    } catch (error) {
      await relays.stop();
      throw error;
    }
    return relays;
  }

  get ports(): number[] {
    return this.all.map((relay) => relay.port);
  }

  connections(): Promise<number[]> {
    return Promise.all(this.all.map((relay) => relay.connections()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((relay) => relay.end("SIGKILL")));
    await this.#redis.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

/** The status of a GET; undefined where nobody answers. */
export async function statusOf(url: string): Promise<number | undefined> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.status;
  } catch {
    return undefined;
  }
}

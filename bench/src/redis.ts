import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";

const programs = ["redis-server", "valkey-server"];

/** The Redis on this machine, and its version as it prints it. */
export function redisProgram(): { readonly program: string; readonly version: string } {
  for (const program of programs) {
    const { status, stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
    if (status === 0) return { program, version: /v=(\S+)/.exec(stdout)?.[1] ?? stdout.trim() };
  }
  throw new Error("The bench needs redis-server: apt-get install redis-server (macOS: brew install redis)");
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** A Redis of one measurement's own: on loopback, without persistence. */
export class BenchRedis implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #dir: string;

  private constructor(port: number, dir: string) {
    this.port = port;
    this.#dir = dir;
    const options = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir];
    this.#child = spawn(redisProgram().program, options, { stdio: ["ignore", "pipe", "inherit"] });
  }

  static async start(): Promise<BenchRedis> {
    const redis = new BenchRedis(await freePort(), await mkdtemp(join(tmpdir(), "bellwire-bench-redis-")));
    const child = redis.#child;
    running.add(child);
    await new Promise<void>((resolve, reject) => {
      let printed = "";
      child.stdout?.on("data", (data: Buffer) => {
        printed += data.toString();
        if (printed.includes("Ready to accept connections")) resolve();
      });
      child.once("error", reject);
      child.once("exit", () => reject(new Error(`redis-server ended:\n${printed}`)));
    });
    return redis;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** How often a command was called so far, e.g. `evalsha`. */
  async calls(command: string): Promise<number> {
    const client = new Redis(this.url);
    try {
      const stats = await client.info("commandstats");
      return Number(new RegExp(`cmdstat_${command.replace("|", "\\\\|")}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    } finally {
      client.disconnect();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await ended;
    }
    running.delete(this.#child);
    await rm(this.#dir, { recursive: true, force: true });
  }
}

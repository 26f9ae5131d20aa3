import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis, type RedisOptions } from "ioredis";
import { programOf } from "../house/requires.js";
import { stablePort } from "./stable-port.js";

/** A redis-server process of a test's own. */
export class TestRedis {
  readonly port: number;
  readonly dir: string;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, dir: string, args: readonly string[]) {
    this.port = port;
    this.dir = dir;
    this.#args = args;
  }

  static async start(args: readonly string[] = []): Promise<TestRedis> {
    const redis = new TestRedis(await stablePort(), await mkdtemp(join(tmpdir(), "bellwire-redis-")), args);
    await redis.run();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#process?.pid as number;
  }

  /** Starts the server, again where it was stopped, and waits until it answers. */
  async run(): Promise<void> {
    const options = [
      "--port",
      String(this.port),
      "--bind",
      "127.0.0.1",
      "--save",
      "",
      "--dir",
      this.dir,
      "--daemonize",
      "no",
      ...this.#args,
    ];
    const child = spawn(programOf("redis-server") ?? "redis-server", options, { stdio: ["ignore", "pipe", "inherit"] });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      let printed = "";
      child.stdout.on("data", (data: Buffer) => {
        printed += data.toString();
        if (/Ready to accept connections/.test(printed)) resolve();
      });
      child.once("exit", () => reject(new Error(`redis-server ended:\n${printed}`)));
    });
  }

  /** A client of its own, for looking and for faults. */
  client(options: RedisOptions = {}): Redis {
    return new Redis(this.port, "127.0.0.1", options as never); // its own types refuse themselves under exactOptionalPropertyTypes
  }

  /** Drops all data: what one test stored would be there for the next one. */
  async forget(): Promise<void> {
    const client = this.client();
    await client.flushall();
    client.disconnect();
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.dir, { recursive: true, force: true });
  }
}

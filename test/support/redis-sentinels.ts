import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { stablePort } from "./stable-port.js";

export interface SentinelsOptions {
  /** The port of the master to begin with. */
  readonly master: number;
  /** Milliseconds without an answer before a server counts as down. */
  readonly downAfter?: number;
}

/** Three Sentinels that watch one master under the name `main`. */
export class RedisSentinels {
  readonly name = "main";
  readonly ports: readonly number[];
  readonly #dirs: string[] = [];
  readonly #processes: ChildProcess[] = [];

  private constructor(ports: readonly number[]) {
    this.ports = ports;
  }

  /** Starts them and waits until each knows the other two and at least one replica. */
  static async start({ master, downAfter = 2000 }: SentinelsOptions): Promise<RedisSentinels> {
    const sentinels = new RedisSentinels([await stablePort(), await stablePort(), await stablePort()]);
    try {
      for (const port of sentinels.ports) await sentinels.#run(port, master, downAfter);
      await Promise.all(sentinels.ports.map((port) => sentinels.#awaitOthers(port)));
    } catch (error) {
      await sentinels.stop();
      throw error;
    }
    return sentinels;
  }

  async #run(port: number, master: number, downAfter: number): Promise<void> {
    const dir = await mkdtemp(join(tmpdir(), "bellwire-sentinel-"));
    this.#dirs.push(dir);
    const file = join(dir, "sentinel.conf");
    // A long failover-timeout: until it has passed, a Sentinel does not correct where a replica gets its data from.
    const lines = [
      `port ${port}`,
      "bind 127.0.0.1",
      `dir ${dir}`,
      `sentinel monitor ${this.name} 127.0.0.1 ${master} 2`,
      `sentinel down-after-milliseconds ${this.name} ${downAfter}`,
      `sentinel failover-timeout ${this.name} 60000`,
    ];
    await writeFile(file, `${lines.join("\n")}\n`);
    this.#processes.push(spawn("redis-server", [file, "--sentinel"], { stdio: "ignore" }));
  }

  async #awaitOthers(port: number): Promise<void> {
    const redis = this.client(port);
    try {
      for (const end = Date.now() + 20_000; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
        const reply = await redis.call("SENTINEL", "MASTER", this.name).catch(() => []);
        const facts = pairs(reply as string[]);
        if (facts["num-other-sentinels"] === "2" && Number(facts["num-slaves"]) > 0) return;
        if (Date.now() > end) throw new Error(`The Sentinels did not find each other: ${JSON.stringify(facts)}`);
      }
    } finally {
      redis.disconnect();
    }
  }

  client(port: number = this.ports[0] as number): Redis {
    const redis = new Redis({ host: "127.0.0.1", port, maxRetriesPerRequest: 1 });
    redis.on("error", () => undefined);
    return redis;
  }

  /** The master's port, as the Sentinels see it. */
  async master(): Promise<number> {
    const redis = this.client();
    try {
      return Number(((await redis.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", this.name)) as string[])[1]);
    } finally {
      redis.disconnect();
    }
  }

  /** Has a replica promoted although the master is well; resolves once the Sentinels name it. */
  async failover(): Promise<void> {
    const before = await this.master();
    const redis = this.client();
    try {
      for (const end = Date.now() + 20_000; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
        await redis.call("SENTINEL", "FAILOVER", this.name).catch(() => undefined); // not yet, or under way
        if ((await this.master()) !== before) return;
        if (Date.now() > end) throw new Error("The Sentinels promoted nobody within 20 s");
      }
    } finally {
      redis.disconnect();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#processes.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }),
    );
    await Promise.all(this.#dirs.map((dir) => rm(dir, { recursive: true, force: true })));
  }
}

function pairs(list: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (let i = 0; i + 1 < list.length; i += 2) found[list[i] as string] = list[i + 1] as string;
  return found;
}

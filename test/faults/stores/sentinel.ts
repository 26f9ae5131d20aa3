import { Redis } from "ioredis";
import { RedisSentinels } from "../../support/redis-sentinels.js";
import { TestRedis } from "../../support/redis.js";
import { Line } from "../line.js";
import { sleep } from "../random.js";
import type { LogEntry } from "../record.js";
import { ConfigFile } from "./config-file.js";
import { logKey, readEntries } from "./entries.js";
import type { Store } from "./store.js";

interface Parts {
  readonly first: TestRedis;
  readonly second: TestRedis;
  readonly replication: Line;
  readonly sentinels: RedisSentinels;
  readonly file: ConfigFile;
}

/** A master, a replica that follows it over a line of its own, and three Sentinels. */
export class SentinelStore implements Store {
  /** The replica's way to the first master: what it holds back, the replica lags behind. */
  readonly replication: Line;
  readonly sentinels: RedisSentinels;
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.replication = parts.replication;
    this.sentinels = parts.sentinels;
  }

  static async start(): Promise<SentinelStore> {
    const first = await TestRedis.start(["--repl-diskless-sync-delay", "0"]);
    const replication = await Line.open({ targets: [first.port] });
    const second = await TestRedis.start(["--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", String(replication.port)]);
    const look = second.client();
    while (!/master_link_status:up/.test(await look.info("replication"))) await sleep(50);
    look.disconnect();
    const sentinels = await RedisSentinels.start({ master: first.port });
    const file = await ConfigFile.write({ sentinels: addresses(sentinels), name: sentinels.name });
    return new SentinelStore({ first, second, replication, sentinels, file });
  }

  async relay(): Promise<{ env: Record<string, string> }> {
    return { env: this.#parts.file.env };
  }

  get emitter(): { redis: { sentinels: { host: string; port: number }[]; name: string } } {
    return { redis: { sentinels: addresses(this.sentinels), name: this.sentinels.name } };
  }

  async entries(site: string, topic: string): Promise<LogEntry[]> {
    const redis = new Redis({ host: "127.0.0.1", port: await this.sentinels.master() });
    try {
      return await readEntries(redis, site, topic, logKey(site, topic));
    } finally {
      redis.disconnect();
    }
  }

  /** Until this server follows another one; for 30 s at most, since Sentinels may give a failover up. */
  async demoted(port: number): Promise<void> {
    const redis = new Redis({ host: "127.0.0.1", port });
    try {
      for (const end = Date.now() + 30_000; Date.now() < end; await sleep(100)) {
        if (/role:slave/.test(await redis.info("replication"))) return;
      }
    } finally {
      redis.disconnect();
    }
  }

  async stop(): Promise<void> {
    const { first, second, replication, sentinels, file } = this.#parts;
    await sentinels.stop();
    replication.close();
    await Promise.all([first.stop(), second.stop(), file.remove()]);
  }
}

function addresses({ ports }: RedisSentinels): { host: string; port: number }[] {
  return ports.map((port) => ({ host: "127.0.0.1", port }));
}

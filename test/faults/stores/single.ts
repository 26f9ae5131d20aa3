import type { Redis } from "ioredis";
import { TestRedis } from "../../support/redis.js";
import { Line } from "../line.js";
import type { LogEntry } from "../record.js";
import { logKey, readEntries } from "./entries.js";
import type { Store } from "./store.js";

/** One redis-server; each relay reaches it over a line of its own. */
export class SingleStore implements Store {
  readonly redis: TestRedis;
  readonly lines: Line[] = [];

  private constructor(redis: TestRedis) {
    this.redis = redis;
  }

  static async start(args: readonly string[] = []): Promise<SingleStore> {
    return new SingleStore(await TestRedis.start(args));
  }

  async relay(): Promise<{ env: Record<string, string>; line: Line }> {
    const line = await Line.open({ targets: [this.redis.port] });
    this.lines.push(line);
    return { env: { REDIS_URL: `redis://127.0.0.1:${line.port}` }, line };
  }

  get emitter(): { redis: string } {
    return { redis: this.redis.url };
  }

  /** A connection for the length of a task. */
  async with<T>(task: (redis: Redis) => Promise<T>): Promise<T> {
    const client = this.redis.client();
    client.on("error", () => undefined); // the command that fails tells
    try {
      return await task(client);
    } finally {
      client.disconnect();
    }
  }

  entries(site: string, topic: string): Promise<LogEntry[]> {
    return this.with((redis) => readEntries(redis, site, topic, logKey(site, topic)));
  }

  async stop(): Promise<void> {
    for (const line of this.lines) line.close();
    this.redis.signal("SIGCONT");
    await this.redis.stop();
  }
}

import { Line } from "../line.js";
import type { LogEntry } from "../record.js";
import { logKey, readEntries } from "./entries.js";
import type { SingleStore } from "./single.js";
import type { Store } from "./store.js";

/** The same redis-server under another database number or prefix, as another application uses it. */
export class NeighbourStore implements Store {
  readonly #host: SingleStore;
  readonly #db: number;
  readonly #prefix: string;
  readonly #lines: Line[] = [];

  constructor(host: SingleStore, db: number, prefix: string) {
    this.#host = host;
    this.#db = db;
    this.#prefix = prefix;
  }

  async relay(): Promise<{ env: Record<string, string>; line: Line }> {
    const line = await Line.open({ targets: [this.#host.redis.port] });
    this.#lines.push(line);
    return {
      env: { REDIS_HOST: "127.0.0.1", REDIS_PORT: String(line.port), REDIS_DB: String(this.#db), REDIS_PREFIX: this.#prefix },
      line,
    };
  }

  get emitter(): { redis: object; prefix: string } {
    return { redis: { host: "127.0.0.1", port: this.#host.redis.port, db: this.#db }, prefix: this.#prefix };
  }

  entries(site: string, topic: string): Promise<LogEntry[]> {
    return this.#host.with(async (redis) => {
      await redis.select(this.#db);
      return readEntries(redis, site, topic, logKey(site, topic, this.#prefix, this.#db));
    });
  }

  async stop(): Promise<void> {
    for (const line of this.#lines) line.close();
  }
}

import type { Cluster } from "ioredis";
import { RedisCluster } from "../../support/redis-cluster.js";
import type { LogEntry } from "../record.js";
import { ConfigFile } from "./config-file.js";
import { logKey, readEntries } from "./entries.js";
import type { Store } from "./store.js";

/** A Redis Cluster of three masters, each with a replica. */
export class ClusterStore implements Store {
  readonly cluster: RedisCluster;
  readonly #client: Cluster;
  readonly #file: ConfigFile;

  private constructor(cluster: RedisCluster, file: ConfigFile) {
    this.cluster = cluster;
    this.#client = cluster.client();
    this.#client.on("error", () => undefined);
    this.#file = file;
  }

  static async start(): Promise<ClusterStore> {
    const cluster = await RedisCluster.start();
    return new ClusterStore(cluster, await ConfigFile.write({ nodes: cluster.nodes }));
  }

  async relay(): Promise<{ env: Record<string, string> }> {
    return { env: this.#file.env };
  }

  get emitter(): { redis: { nodes: { host: string; port: number }[] } } {
    return { redis: { nodes: this.cluster.nodes } };
  }

  entries(site: string, topic: string): Promise<LogEntry[]> {
    return readEntries(this.#client, site, topic, logKey(site, topic));
  }

  async stop(): Promise<void> {
    this.#client.disconnect();
    await Promise.all([this.cluster.stop(), this.#file.remove()]);
  }
}

import { spawn } from "node:child_process";
import { Cluster, Redis } from "ioredis";
import { TestRedis } from "./redis.js";
import { stablePort } from "./stable-port.js";

/** A Redis Cluster of three masters, each with a replica where wanted. */
export class RedisCluster {
  readonly servers: readonly TestRedis[];
  readonly #connections = new Map<number, Redis>();

  private constructor(servers: readonly TestRedis[]) {
    this.servers = servers;
  }

  static async start({
    replicas = 1,
    nodeTimeout = 2000,
  }: { readonly replicas?: number; readonly nodeTimeout?: number } = {}): Promise<RedisCluster> {
    const count = 3 * (1 + replicas);
    const servers: TestRedis[] = [];
    for (let i = 0; i < count; i++) {
      const bus = await stablePort();
      servers.push(
        await TestRedis.start([
          ...["--cluster-enabled", "yes", "--cluster-port", String(bus), "--cluster-node-timeout", String(nodeTimeout)],
          ...["--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0"],
        ]),
      );
    }
    const cluster = new RedisCluster(servers);
    try {
      const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
      await run("redis-cli", ["--cluster", "create", ...addresses, "--cluster-replicas", String(replicas), "--cluster-yes"]);
      await cluster.agreed();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get nodes(): { host: string; port: number }[] {
    return this.servers.map(({ port }) => ({ host: "127.0.0.1", port }));
  }

  /** Resolves once every node knows every slot, and every replica follows. */
  async agreed(): Promise<void> {
    for (const end = Date.now() + 30_000; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
      const infos = await Promise.all(this.servers.map(async ({ port }) => String(await this.node(port).cluster("INFO"))));
      const roles = await Promise.all(this.servers.map(async ({ port }) => String(await this.node(port).info("replication"))));
      const known = infos.every(
        (info) => /cluster_state:ok/.test(info) && new RegExp(`cluster_known_nodes:${this.servers.length}`).test(info),
      );
      if (known && roles.every((role) => !/role:slave/.test(role) || /master_link_status:up/.test(role))) return;
      if (Date.now() > end) throw new Error("The Cluster did not come to an agreement");
    }
  }

  /** A connection to one server, kept until `stop`. */
  node(port: number): Redis {
    let redis = this.#connections.get(port);
    if (redis === undefined) {
      redis = new Redis({ host: "127.0.0.1", port, maxRetriesPerRequest: 1 });
      redis.on("error", () => undefined);
      this.#connections.set(port, redis);
    }
    return redis;
  }

  /** A client of the whole. */
  client(): Cluster {
    return new Cluster(this.nodes);
  }

  async slotOf(key: string): Promise<number> {
    return Number(await this.node((this.servers[0] as TestRedis).port).cluster("KEYSLOT", key));
  }

  /** Who is a master, as a running server sees it: id, port and slots. */
  async masters(): Promise<{ id: string; port: number; owns(slot: number): boolean }[]> {
    for (const { port } of this.servers) {
      const text = await this.node(port)
        .cluster("NODES")
        .catch(() => undefined);
      if (text === undefined) continue;
      return String(text)
        .trim()
        .split("\n")
        .map((line) => line.split(" "))
        .filter((fields) => /master/.test(fields[2] as string) && !/fail/.test(fields[2] as string))
        .map((fields) => {
          const ranges = fields
            .slice(8)
            .filter((range) => !range.startsWith("["))
            .map((range) => range.split("-").map(Number));
          return {
            id: fields[0] as string,
            port: Number(/:(\d+)@/.exec(fields[1] as string)?.[1]),
            owns: (slot: number) => ranges.some(([from, to]) => slot >= (from as number) && slot <= (to ?? (from as number))),
          };
        });
    }
    throw new Error("No server of the Cluster answers");
  }

  /** Moves one slot with all its keys to another master. Resolves to the ports it went from and to. */
  async migrate(slot: number): Promise<{ from: number; to: number }> {
    const masters = await this.masters();
    const from = masters.find((master) => master.owns(slot));
    const to = masters.find((master) => master !== from);
    if (from === undefined || to === undefined) throw new Error(`Slot ${slot} has no master, or nowhere to go`);
    const source = this.node(from.port);
    await this.node(to.port).call("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id);
    await source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id);
    for (;;) {
      const keys = (await source.call("CLUSTER", "GETKEYSINSLOT", slot, 100)) as string[];
      if (keys.length === 0) break;
      await source.call("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "REPLACE", "KEYS", ...keys);
    }
    // The new owner first, so that nobody is sent in circles.
    await this.node(to.port).call("CLUSTER", "SETSLOT", slot, "NODE", to.id);
    await source.call("CLUSTER", "SETSLOT", slot, "NODE", to.id);
    for (const { port } of masters)
      await this.node(port)
        .call("CLUSTER", "SETSLOT", slot, "NODE", to.id)
        .catch(() => undefined);
    return { from: from.port, to: to.port };
  }

  /** The server that listens on this port. */
  server(port: number): TestRedis {
    return this.servers.find((server) => server.port === port) as TestRedis;
  }

  async stop(): Promise<void> {
    for (const redis of this.#connections.values()) redis.disconnect();
    await Promise.all(
      this.servers.map((server) => {
        server.signal("SIGCONT");
        return server.stop();
      }),
    );
  }
}

function run(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (printed += data.toString()));
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve() : reject(new Error(`${program} ended with ${code}:\n${printed}`))));
  });
}

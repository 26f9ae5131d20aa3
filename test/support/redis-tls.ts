import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { TestRedis } from "./redis.js";
import { stablePort } from "./stable-port.js";

const file = (name: string): string => fileURLToPath(new URL(`./tls/${name}.pem`, import.meta.url));

/** The file of the certificate that signs itself. */
export const CA_FILE = file("cert");
export const CA = readFileSync(CA_FILE);

const CERTIFICATES = { "tls-cert-file": CA_FILE, "tls-key-file": file("key"), "tls-ca-cert-file": CA_FILE, "tls-auth-clients": "no" };

/** A redis-server that speaks TLS and nothing else. */
export class TlsRedis {
  readonly port: number;
  readonly password = "a secret of TLS";
  readonly #server: TestRedis;

  private constructor(port: number, server: TestRedis) {
    this.port = port;
    this.#server = server;
  }

  /** @param cluster as the only node of a Cluster */
  static async start({ cluster = false }: { readonly cluster?: boolean } = {}): Promise<TlsRedis> {
    const port = await stablePort();
    const options: Record<string, string> = {
      ...CERTIFICATES,
      port: "0",
      "tls-port": String(port),
      requirepass: "a secret of TLS",
      ...(cluster
        ? { "cluster-enabled": "yes", "tls-cluster": "yes", "cluster-announce-ip": "127.0.0.1", "cluster-port": String(await stablePort()) }
        : {}),
    };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    const redis = new TlsRedis(port, await TestRedis.start(args));
    if (cluster) await redis.#takeAllSlots();
    return redis;
  }

  client(): Redis {
    return new Redis({ host: "127.0.0.1", port: this.port, password: this.password, tls: { ca: CA } });
  }

  async #takeAllSlots(): Promise<void> {
    const client = this.client();
    await client.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
    while (!(await client.cluster("INFO")).includes("cluster_state:ok")) await new Promise((resolve) => setTimeout(resolve, 20));
    client.disconnect();
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }
}

/** One Sentinel that watches such a server under the name `main`. */
export class TlsSentinel {
  readonly port: number;
  readonly #dir: string;
  readonly #process: ChildProcess;

  private constructor(port: number, dir: string, child: ChildProcess) {
    this.port = port;
    this.#dir = dir;
    this.#process = child;
  }

  /** @param tls false: those who ask it speak to it in plain text */
  static async start(master: TlsRedis, { tls }: { readonly tls: boolean }): Promise<TlsSentinel> {
    const port = await stablePort();
    const dir = await mkdtemp(join(tmpdir(), "bellwire-tls-"));
    const lines = [
      tls ? `port 0\ntls-port ${port}` : `port ${port}`,
      "bind 127.0.0.1",
      `dir ${dir}`,
      ...Object.entries(CERTIFICATES).map(([name, value]) => `${name} "${value}"`),
      "tls-replication yes",
      `sentinel monitor main 127.0.0.1 ${master.port} 1`,
      `sentinel auth-pass main "${master.password}"`,
    ];
    const path = join(dir, "sentinel.conf");
    await writeFile(path, `${lines.join("\n")}\n`);
    const child = spawn("redis-server", [path, "--sentinel"], { stdio: ["ignore", "pipe", "inherit"] });
    const sentinel = new TlsSentinel(port, dir, child);
    for await (const chunk of child.stdout) if (String(chunk).includes("+monitor master main")) break;
    return sentinel;
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
    await rm(this.#dir, { recursive: true, force: true });
  }
}

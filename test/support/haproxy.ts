import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stablePort } from "./stable-port.js";

export interface HaproxyOptions {
  /** A path, or a name on the path. */
  readonly program: string;
  /** Ports of the relays. */
  readonly relays: readonly number[];
  /** Whether connections of a relay that fails its checks are ended, or left as they are. */
  readonly shutdownSessions: boolean;
}

/** A haproxy before several relays. It expects the PROXY protocol, which tells it whom to keep with which relay. */
export class Haproxy {
  readonly port: number;
  readonly #dir: string;
  readonly #process: ChildProcess;

  private constructor(port: number, dir: string, child: ChildProcess) {
    this.port = port;
    this.#dir = dir;
    this.#process = child;
  }

  static async start(options: HaproxyOptions): Promise<Haproxy> {
    const port = await stablePort();
    const dir = await mkdtemp(join(tmpdir(), "bellwire-haproxy-"));
    const file = join(dir, "haproxy.cfg");
    await writeFile(file, configuration(port, options));
    // Debian keeps it in /usr/sbin, which is not on everybody's path.
    const env = { ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/sbin:/usr/local/sbin` };
    const child = spawn(options.program, ["-db", "-f", file], { env, stdio: ["ignore", "ignore", "pipe"] });
    let printed = "";
    child.on("error", (error) => (printed += error.message));
    child.stderr.on("data", (data: Buffer) => (printed += data.toString()));
    for (const end = Date.now() + 10_000; !(await takesConnections(port));) {
      if (child.pid === undefined || child.exitCode !== null || Date.now() > end) throw new Error(`haproxy did not start:\n${printed}`);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    return new Haproxy(port, dir, child);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = once(this.#process, "exit");
      this.#process.kill("SIGKILL");
      await ended;
    }
    await rm(this.#dir, { recursive: true, force: true });
  }
}

function configuration(port: number, { relays, shutdownSessions }: HaproxyOptions): string {
  const servers = relays.map((relay, i) => `  server relay${i} 127.0.0.1:${relay} check`).join("\n");
  return `
global
  maxconn 4000
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
  timeout check 1s
  retries 3
  option redispatch
frontend clients
  bind 127.0.0.1:${port} accept-proxy
  default_backend relays
backend relays
  balance source
  hash-type consistent
  option httpchk GET /readyz
  default-server inter 500ms fall 2 rise 1${shutdownSessions ? " on-marked-down shutdown-sessions" : ""}
${servers}
`;
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

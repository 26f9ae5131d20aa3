import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../house/tree.js";
import { stablePort } from "../support/stable-port.js";
import { eventually } from "./relays.js";

export type Kind = "nginx" | "haproxy";

export interface Targets {
  /** The ports of relay1, relay2 and relay3. */
  readonly relays: readonly number[];
  /** Where nginx/sites/prefix.conf passes the rest to. */
  readonly application?: number;
  /** Which of nginx/sites; default: own-host. */
  readonly site?: "own-host" | "prefix";
}

/** A balancer in the foreground, with the shipped configuration in which nothing but addresses is replaced. */
export class Balancer {
  readonly port: number;
  readonly #program: string;
  readonly #dir: string;
  readonly #kind: Kind;
  #process: ChildProcess | undefined;
  #printed = "";

  private constructor(kind: Kind, program: string, port: number, dir: string) {
    this.#kind = kind;
    this.#program = program;
    this.port = port;
    this.#dir = dir;
  }

  /** Puts the configuration in place, starts the program and waits until it answers. */
  static async start(kind: Kind, program: string, targets: Targets): Promise<Balancer> {
    const balancer = new Balancer(kind, program, await stablePort(), await mkdtemp(join(tmpdir(), `bellwire-${kind}-`)));
    try {
      // nginx started by root lets its workers be nobody.
      await chmod(balancer.#dir, 0o755);
      await (kind === "nginx" ? layNginx : layHaproxy)(balancer.#dir, balancer.port, targets);
      await balancer.#run();
    } catch (error) {
      await balancer.stop();
      throw error;
    }
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get #arguments(): { run: string[]; check: string[] } {
    if (this.#kind === "haproxy") {
      const file = ["-f", join(this.#dir, "haproxy.cfg")];
      return { run: ["-db", ...file], check: ["-c", ...file] };
    }
    const file = ["-p", this.#dir, "-c", join(this.#dir, "nginx.conf"), "-e", "stderr"];
    return { run: [...file, "-g", "daemon off;"], check: [...file, "-t"] };
  }

  async #run(): Promise<void> {
    const child = spawn(this.#program, this.#arguments.run, { stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data: Buffer) => {
        this.#printed = (this.#printed + data.toString()).slice(-10_000);
      });
    }
    await eventually(`${this.#kind} answers`, async () => {
      if (child.exitCode !== null) throw new Error(`${this.#kind} ended:\n${this.#printed}`);
      return isListening(this.port);
    });
  }

  /** What the program's own check of the configuration says. */
  check(): Promise<{ good: boolean; said: string }> {
    return new Promise((resolve) => {
      execFile(this.#program, this.#arguments.check, (error, stdout, stderr) => resolve({ good: error === null, said: stdout + stderr }));
    });
  }

  async stop(): Promise<void> {
    const child = this.#process;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    }
    await rm(this.#dir, { recursive: true, force: true });
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

type Replacements = readonly (readonly [shipped: string, here: string])[];

/** Replaces addresses. Each must be there, so that no test runs with a text other than it thinks. */
async function lay(from: string, to: string, replacements: Replacements): Promise<void> {
  let text = await readFile(join(root, "deploy", from), "utf8");
  for (const [shipped, here] of replacements) {
    if (!text.includes(shipped)) throw new Error(`deploy/${from} has no "${shipped}"`);
    text = text.replaceAll(shipped, here);
  }
  await writeFile(to, text);
}

const servers = (ports: readonly number[]): Replacements => ports.map((port, i) => [`relay${i + 1}:6200`, `127.0.0.1:${port}`]);

async function layNginx(dir: string, port: number, { relays, application, site = "own-host" }: Targets): Promise<void> {
  await cp(join(root, "deploy/nginx/bellwire"), join(dir, "bellwire"), { recursive: true });
  await mkdir(join(dir, "conf.d"));
  await mkdir(join(dir, "temp"));
  const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path temp/${name};`).join(" ");
  await lay("nginx/nginx.conf", join(dir, "nginx.conf"), [
    ["pid /run/nginx.pid;", "pid nginx.pid;"],
    ["http {", `http { ${folders}`],
  ]);
  await lay("nginx/bellwire/relays.conf", join(dir, "bellwire/relays.conf"), servers(relays));
  await lay(`nginx/sites/${site}.conf`, join(dir, "conf.d/bellwire.conf"), [
    ["  listen 80;", `  listen 127.0.0.1:${port};`],
    ...(site === "prefix" ? ([["demo:3000", `127.0.0.1:${application}`]] as const) : []),
  ]);
}

async function layHaproxy(dir: string, port: number, { relays }: Targets): Promise<void> {
  await lay("haproxy/haproxy.cfg", join(dir, "haproxy.cfg"), [["  bind :80\n", `  bind 127.0.0.1:${port}\n`], ...servers(relays)]);
}

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stablePort } from "./stable-port.js";

const BIN = fileURLToPath(new URL("../../server/bin/bellwire.js", import.meta.url));
/** What node runs for `bellwire serve`; options may follow. */
export const SERVE: readonly string[] = [BIN, "serve"];
const KEPT_LINES = 200;

/** A relay as it is run in earnest: `bellwire serve` in a process of its own, which can be killed, stopped and started again. */
export class RelayProcess {
  readonly port: number;
  /** The last lines that it printed. */
  readonly lines: string[] = [];
  /** Called when it ends without having been told to. */
  onCrash: (sentence: string) => void = () => undefined;
  readonly #dir: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #program: readonly string[];
  #process: ChildProcess | undefined;
  #told = false;

  private constructor(port: number, dir: string, env: Readonly<Record<string, string>>, program: readonly string[]) {
    this.port = port;
    this.#dir = dir;
    this.#env = env;
    this.#program = program;
  }

  /**
   * @param env its settings; nothing of this process's own environment but PATH is passed on
   * @param program arguments of node
   */
  static async start(env: Readonly<Record<string, string>>, program: readonly string[] = SERVE): Promise<RelayProcess> {
    const dir = await mkdtemp(join(tmpdir(), "bellwire-relay-"));
    for (let attempt = 1; ; attempt++) {
      const relay = new RelayProcess(await stablePort(), dir, env, program);
      try {
        await relay.run();
        return relay;
      } catch (error) {
        // Somebody else may have drawn the same port since it was found free.
        if (attempt === 3 || !relay.lines.some((line) => line.includes(`port ${relay.port} is taken`))) throw error;
      }
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#process?.pid as number;
  }

  get running(): boolean {
    const child = this.#process;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Starts it, again on the same port where it had ended, and waits until it is ready. */
  async run(): Promise<void> {
    this.#told = false;
    const env = { PATH: process.env.PATH ?? "", REALTIME_WS_HOST: "127.0.0.1", ...this.#env, REALTIME_WS_PORT: String(this.port) };
    // In a folder of its own: no .env of anybody's applies.
    const child = spawn(process.execPath, this.#program, { cwd: this.#dir, env, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data: Buffer) => {
        this.lines.push(...data.toString().trimEnd().split("\n"));
        this.lines.splice(0, this.lines.length - KEPT_LINES);
      });
    }
    child.once("exit", (code, signal) => {
      if (this.#told || this.#process !== child) return;
      this.onCrash(`a relay ended by itself (${signal ?? code}): ${this.lines.slice(-10).join("\n")}`);
    });
    for (const end = Date.now() + 60_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
      const readiness = await this.readiness();
      if (readiness?.ok === true) return;
      if (this.running && Date.now() < end) continue;
      throw new Error(`The relay did not get ready, it says ${JSON.stringify(readiness)}:\n${this.lines.join("\n")}`);
    }
  }

  /** What `/readyz` says; undefined where nobody answers within a second. */
  async readiness(): Promise<{ readonly ok: boolean; readonly status: string; readonly problem?: string } | undefined> {
    try {
      const response = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(1000) });
      return { ok: response.ok, ...((await response.json()) as { status: string; problem?: string }) };
    } catch {
      return undefined;
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Ends it and waits until it has. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.#told = true;
    const child = this.#process;
    if (child === undefined || !this.running) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

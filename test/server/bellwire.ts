import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../../server/bin/bellwire.js", import.meta.url));

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command `bellwire` as a process of its own, with nothing of this process's environment but the path. */
export class Bellwire {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #waiting = new Set<() => void>();
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], env: NodeJS.ProcessEnv, cwd: string = tmpdir()) {
    if (!existsSync(fileURLToPath(new URL("../../server/dist/cli.js", import.meta.url)))) throw new Error("Not built: npm run build");
    this.#process = spawn(process.execPath, [bin, ...args], {
      cwd,
      env: { PATH: process.env.PATH, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const name of ["stdout", "stderr"] as const) {
      this.#process[name]?.on("data", (data: Buffer) => {
        this[name] += data.toString();
        for (const look of this.#waiting) look();
      });
    }
    this.#ended = once(this.#process, "close").then(() => {
      for (const look of this.#waiting) look();
    });
  }

  /** What of standard output fits, now or later. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(this.stdout);
        if (found === null && this.#process.exitCode === null) return;
        this.#waiting.delete(look);
        if (found !== null) resolve(found);
        else reject(new Error(`bellwire ended: ${this.stdout}${this.stderr}`));
      };
      this.#waiting.add(look);
      look();
    });
  }

  async outcome(): Promise<Outcome> {
    await this.#ended;
    const { stdout, stderr } = this;
    return { status: this.#process.exitCode, stdout, stderr };
  }

  /** Ends it, if it runs still. */
  async stop(signal: NodeJS.Signals = "SIGINT"): Promise<Outcome> {
    if (this.#process.exitCode === null) this.#process.kill(signal);
    return this.outcome();
  }
}

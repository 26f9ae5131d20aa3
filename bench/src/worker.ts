import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Message } from "./rpc.js";

export interface WorkerOptions {
  readonly settings?: object;
  readonly execArgv?: readonly string[];
}

const READY_MS = 30_000;
const END_MS = 5000;

/** A process of the bench: a server, the load, or a publisher. Ends when the bench ends, whatever happens. */
export class Worker implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #file: string;
  readonly #calls = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  readonly #listeners = new Map<string, (value: unknown) => void>();
  #last = 0;
  #ending = false;

  private constructor(file: string, options: WorkerOptions) {
    this.#file = file;
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(options.settings ?? {})], {
      execArgv: [...(options.execArgv ?? [])],
      env: { ...process.env, NODE_ENV: "production" },
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child.on("message", (message) => this.#receive(message as Message));
    this.#child.once("exit", (code, signal) => this.#ended(`${file} ended by itself (${signal ?? `exit code ${code}`})`));
    this.#child.on("error", (error) => this.#ended(`${file}: ${error.message}`));
  }

  /** @param file relative to this one, as built. Gives the worker and what it said when it was ready. */
  static async start<Ready = undefined>(file: string, options: WorkerOptions = {}): Promise<{ worker: Worker; ready: Ready }> {
    const worker = new Worker(file, options);
    const ready = await new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${file} was not ready within ${READY_MS} ms`)), READY_MS);
      worker.on("ready", (value) => {
        clearTimeout(timer);
        resolve(value);
      });
      worker.#calls.set(0, { resolve, reject });
    });
    worker.#calls.delete(0);
    return { worker, ready: ready as Ready };
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  on(name: string, listener: (value: never) => void): void {
    this.#listeners.set(name, listener as (value: unknown) => void);
  }

  call<T = undefined>(method: string, argument?: unknown): Promise<T> {
    const id = ++this.#last;
    return new Promise<T>((resolve, reject) => {
      if (!this.#child.connected) return reject(new Error(`${this.#file} has ended`));
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#child.send({ kind: "call", id, method, argument } satisfies Message);
    });
  }

  #receive(message: Message): void {
    if (message.kind === "note") this.#listeners.get(message.name)?.(message.value);
    if (message.kind !== "reply") return;
    const call = this.#calls.get(message.id);
    this.#calls.delete(message.id);
    if (message.error === undefined) call?.resolve(message.value);
    else call?.reject(new Error(`${this.#file}: ${message.error}`));
  }

  #ended(reason: string): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.reject(new Error(reason));
    if (calls.length > 0 || this.#ending) return;
    console.error(reason);
  }

  /** Kills it as a crash would. */
  async kill(): Promise<void> {
    this.#ending = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  async stop(): Promise<void> {
    this.#ending = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), END_MS);
    await ended;
    clearTimeout(timer);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stablePort } from "../support/stable-port.js";
import { signed } from "./sign.js";

/** Where the backends of the examples are. */
export const folder: string = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "examples/backends");

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export interface BackendOptions {
  /** Program and arguments, for a port. */
  readonly command: (port: number) => readonly [program: string, ...args: string[]];
  readonly env: Readonly<Record<string, string>>;
  /** Default: any that is free. */
  readonly port?: number;
}

/** A backend of the examples, as a process of its own. */
export class Backend {
  readonly url: string;
  readonly #secret: string;
  readonly #process: ChildProcess;
  #output = "";
  #look = (): void => undefined;

  private constructor(process: ChildProcess, port: number, secret: string) {
    this.url = `http://127.0.0.1:${port}`;
    this.#process = process;
    this.#secret = secret;
  }

  /** Resolves when it says that it listens. */
  static async start({ command, env, port: given }: BackendOptions): Promise<Backend> {
    const port = given ?? (await stablePort());
    const [program, ...args] = command(port);
    const child = spawn(program, args, {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env, PORT: String(port) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const backend = new Backend(child, port, env.HOOK_SECRET ?? "");
    await new Promise<void>((resolve, reject) => {
      const hear = (data: Buffer): void => {
        backend.#output += data.toString();
        if (backend.#output.includes(backend.url)) resolve();
        backend.#look();
      };
      child.stdout?.on("data", hear);
      child.stderr?.on("data", hear);
      child.once("error", reject);
      child.once("close", () => reject(new Error(`The backend ended: ${backend.#output}`)));
    });
    return backend;
  }

  /** What it has printed so far. */
  get output(): string {
    return this.#output;
  }

  /** Waits for something that it prints; forever if it doesn't. */
  printed(pattern: RegExp): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => {
        if (pattern.test(this.#output)) resolve();
      };
      this.#look();
    });
  }

  async request(path: string, init: RequestInit = {}): Promise<Reply> {
    const response = await fetch(this.url + path, { signal: AbortSignal.timeout(10_000), redirect: "manual", ...init });
    const text = await response.text();
    try {
      return { status: response.status, headers: response.headers, body: JSON.parse(text) as Reply["body"] };
    } catch {
      throw new Error(`No JSON from ${path}: ${response.status} ${text}\n${this.#output}`);
    }
  }

  /** What a page does. @param body a value, or a text that is sent as it is */
  post(path: string, body: unknown, cookie = "", headers: Record<string, string> = {}): Promise<Reply> {
    return this.request(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...(cookie === "" ? {} : { cookie }), ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  }

  /** The cookie of somebody who has just signed in. */
  async signIn(user: string): Promise<string> {
    const { status, headers } = await this.post("/sign-in", { user });
    const cookie = headers.get("set-cookie")?.split(";")[0];
    if (status !== 200 || cookie === undefined) throw new Error(`${user} can't sign in: ${status}`);
    return cookie;
  }

  /** What a relay does: a question, signed. */
  ask(question: object, secret: string = this.#secret): Promise<Reply> {
    const body = JSON.stringify(question);
    return this.post("/hooks", body, "", signed(secret, body));
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const closed = once(this.#process, "close");
    this.#process.kill("SIGKILL");
    await closed;
  }
}

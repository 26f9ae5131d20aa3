import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { TYPESCRIPT } from "../../support/typescript.js";
import type { FleetRecord } from "../record.js";
import type { Order } from "./child.js";
import type { ClientPlan } from "./client-plan.js";

const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url));

/** A fleet in another process. What it has heard is asked for, since it may be stopped at any time. */
export class RemoteFleet {
  /** What it last reported. */
  record: FleetRecord = { clients: [], subscriptions: [] };
  readonly #child: ChildProcess;
  #asked = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", ({ record }: { record: FleetRecord }) => (this.record = record));
    child.on("error", () => undefined); // a message to a child that is gone
  }

  static async start(): Promise<RemoteFleet> {
    const child = fork(CHILD, {
      execArgv: [...TYPESCRIPT],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
    });
    await once(child, "spawn");
    return new RemoteFleet(child);
  }

  add(plan: ClientPlan): void {
    this.#send({ add: plan });
  }

  end(client: string, index: number): void {
    this.#send({ end: [client, index] });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks for a fresh report; the answer comes when the child runs. */
  async refresh(): Promise<void> {
    const asked = ++this.#asked;
    const answered = new Promise<void>((resolve) => {
      const listen = ({ report }: { report: number }): void => {
        if (report !== asked) return;
        this.#child.off("message", listen);
        resolve();
      };
      this.#child.on("message", listen);
    });
    this.#send({ report: asked });
    await answered;
  }

  #send(order: Order): void {
    this.#child.send(order);
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

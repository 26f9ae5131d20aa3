import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { TYPESCRIPT } from "../../support/typescript.js";
import type { Ledger, Publication } from "../ledger.js";
import type { Outcome } from "./child.js";

const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url));

/**
 * Publishes from a process that dies, and remembers what had no answer, as an outbox does. A new process publishes that again
 * with the same idempotency keys.
 */
export class KillablePublisher {
  readonly #ledger: Ledger;
  readonly #url: string;
  readonly #open = new Map<number, Publication>();
  #child: ChildProcess | undefined;

  constructor(ledger: Ledger, url: string) {
    this.#ledger = ledger;
    this.#url = url;
  }

  get unanswered(): number {
    return this.#open.size;
  }

  async start(): Promise<void> {
    const child = fork(CHILD, [this.#url], {
      execArgv: [...TYPESCRIPT],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child = child;
    child.on("error", () => undefined); // a message to a child that is gone
    child.on("message", ({ n, place }: Outcome) => {
      const publication = this.#open.get(n);
      if (publication === undefined) return;
      if (place === undefined) this.#send(publication);
      else {
        this.#open.delete(n);
        this.#ledger.settle(publication, place);
      }
    });
    await once(child, "spawn");
    for (const publication of this.#open.values()) this.#send(publication);
  }

  publish(site: string, topic: string, keys: Readonly<Record<string, unknown>>): void {
    const publication = this.#ledger.begin(site, topic, keys);
    this.#open.set(publication.content.n, publication);
    this.#send(publication);
  }

  #send({ content }: Publication): void {
    this.#child?.send({ content, idempotencyKey: `${content.world} killable ${content.n}` });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
}

import { BellwireError, type Position } from "@bellwire/protocol";
import type { Command } from "./control/command.js";
import { finalError, isOutcomeUnknown, waitAfter } from "./attempts.js";
import { within } from "./redis/failure.js";
import type { Publication, Transport } from "./transport.js";

export interface PublisherOptions {
  /** Milliseconds that a publish or command may take with all its attempts. */
  readonly timeout: number;
  /** Publishes and commands that may be under way at a time. */
  readonly maxPending: number;
}

// One attempt may not use up all the time: behind a balancer the next one meets another relay.
const ATTEMPT_SHARE = 0.4;
// Rejections come before the timeout, not at it.
const MARGIN = 0.95;

/** What is attempted, and how to speak of it. */
interface Task<T> {
  readonly name: string;
  /** Said where nobody knows whether it was done. */
  readonly unknown: string;
  /** @param retry an earlier attempt may have gone in */
  readonly attempt: (retry: boolean, timeout: number) => Promise<T>;
}

/** Appends messages and tells commands, until it works or the time is up. Rejects with a BellwireError only. */
export class Publisher {
  readonly #transport: Transport;
  readonly #options: PublisherOptions;
  readonly #pending = new Set<Promise<unknown>>();
  /** Ends the waits between attempts. */
  readonly #wake = new Set<() => void>();
  #closed = false;

  constructor(transport: Transport, options: PublisherOptions) {
    this.#transport = transport;
    this.#options = options;
  }

  append(publication: Publication): Promise<Position> {
    return this.#run({
      name: "The publish",
      unknown: "Whether the message was published is unknown, publish it again with the same idempotencyKey",
      attempt: (retry, timeout) => this.#transport.append(retry ? { ...publication, retry: true } : publication, timeout),
    });
  }

  control(command: Command): Promise<void> {
    return this.#run({
      name: "The command",
      unknown: "Whether the relays were told is unknown, tell them again",
      attempt: (_retry, timeout) => this.#transport.control(command, timeout),
    });
  }

  async #run<T>(task: Task<T>): Promise<T> {
    if (this.#closed) throw closedError();
    if (this.#pending.size >= this.#options.maxPending) {
      throw new BellwireError("limit", `More than ${this.#options.maxPending} publishes are under way: await some of them`, {
        after: 1000,
      });
    }
    const work = this.#attempts(task);
    const settled = work.then(ignore, ignore);
    this.#pending.add(settled);
    settled.finally(() => this.#pending.delete(settled)).catch(ignore);
    return work;
  }

  async #attempts<T>(task: Task<T>): Promise<T> {
    const { timeout } = this.#options;
    const deadline = performance.now() + timeout * MARGIN;
    let outcomeUnknown = false;
    for (let attempt = 1; ; attempt++) {
      const error = await this.#attempt(task, attempt > 1, Math.min(timeout * ATTEMPT_SHARE, deadline - performance.now()));
      if (!(error instanceof BellwireError)) return error;
      outcomeUnknown ||= isOutcomeUnknown(error);
      const wait = waitAfter(attempt, error, Math.random());
      const again = error.code === "limit" || isOutcomeUnknown(error);
      const failed = finalError(error, outcomeUnknown, task.unknown);
      if (!again || this.#closed || performance.now() + wait >= deadline) throw failed;
      await this.#pause(wait);
      if (this.#closed) throw failed;
    }
  }

  async #attempt<T>({ name, attempt }: Task<T>, retry: boolean, time: number): Promise<T | BellwireError> {
    const timeout = Math.max(1, Math.floor(time));
    try {
      // Transports keep the time themselves; one that doesn't must not keep the caller.
      return await within(attempt(retry, timeout), timeout + 20, name);
    } catch (error) {
      if (error instanceof BellwireError) return error;
      return new BellwireError("unavailable", error instanceof Error ? error.message : "The transport failed", { cause: error });
    }
  }

  #pause(wait: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#wake.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, wait);
      this.#wake.add(wake);
    });
  }

  /** Lets attempts under way finish, makes no further ones, then ends the transport's connections. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const wake of this.#wake) wake();
    await Promise.all(this.#pending);
    await this.#transport.close().catch(ignore); // what is closed badly is closed too
  }
}

function ignore(): void {}

export function closedError(): BellwireError {
  return new BellwireError("unavailable", "The emitter is closed");
}

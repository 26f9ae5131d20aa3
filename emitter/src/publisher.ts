import { BellwireError, type Position } from "@bellwire/protocol";
import type { Command } from "./control/command.js";
import { finalError, isOutcomeUnknown, waitAfter } from "./attempts.js";
import { Guard } from "./guard.js";
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
  readonly #guard = new Guard();
  #underWay = 0;
  /** Called when nothing is under way any more. */
  #onIdle: (() => void) | undefined;
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

  #run<T>(task: Task<T>): Promise<T> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#underWay >= this.#options.maxPending) {
      const message = `More than ${this.#options.maxPending} publishes are under way: await some of them`;
      return Promise.reject(new BellwireError("limit", message, { after: 1000 }));
    }
    this.#underWay++;
    const { timeout } = this.#options;
    const deadline = performance.now() + timeout * MARGIN;
    // Most publishes are one attempt that works: this path is short on purpose.
    return this.#attempt(task, false, timeout * ATTEMPT_SHARE).then(
      (value) => {
        this.#settled();
        return value;
      },
      (error: unknown) => this.#again(task, toError(error), deadline).finally(() => this.#settled()),
    );
  }

  #settled(): void {
    if (--this.#underWay === 0) this.#onIdle?.();
  }

  /** Tries again after a failed attempt, until it works or the time is up. */
  async #again<T>(task: Task<T>, first: BellwireError, deadline: number): Promise<T> {
    let error = first;
    let outcomeUnknown = false;
    for (let failed = 1; ; failed++) {
      outcomeUnknown ||= isOutcomeUnknown(error);
      const wait = waitAfter(failed, error, Math.random());
      const useful = error.code === "limit" || isOutcomeUnknown(error);
      const final = finalError(error, outcomeUnknown, task.unknown);
      if (!useful || this.#closed || performance.now() + wait >= deadline) throw final;
      await this.#pause(wait);
      if (this.#closed) throw final;
      try {
        return await this.#attempt(task, true, Math.min(this.#options.timeout * ATTEMPT_SHARE, deadline - performance.now()));
      } catch (next) {
        error = toError(next);
      }
    }
  }

  #attempt<T>({ name, attempt }: Task<T>, retry: boolean, time: number): Promise<T> {
    const timeout = Math.max(1, Math.floor(time));
    try {
      const work = attempt(retry, timeout);
      // One that doesn't keep the time itself must not keep the caller.
      return this.#transport.punctual === true ? work : this.#guard.within(work, timeout, name);
    } catch (error) {
      return Promise.reject(error);
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
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#transport.close().catch(ignore); // what is closed badly is closed too
  }
}

function toError(error: unknown): BellwireError {
  if (error instanceof BellwireError) return error;
  return new BellwireError("unavailable", error instanceof Error ? error.message : "The transport failed", { cause: error });
}

function ignore(): void {}

export function closedError(): BellwireError {
  return new BellwireError("unavailable", "The emitter is closed");
}

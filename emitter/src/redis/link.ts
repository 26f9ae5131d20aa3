import { Cluster } from "ioredis";
import { BellwireError } from "@bellwire/protocol";
import { NotSent } from "../attempts.js";
import { causeOf } from "../cause.js";
import type { RedisClient } from "./connect.js";

/** Milliseconds for which the last failed attempt to connect answers for the next one. */
const STALE_MS = 100;

export interface LinkOptions {
  readonly redis: RedisClient;
  /** Where it leads, for errors; undefined: they name neither address nor cause. */
  readonly address: string | undefined;
  /** Told once of each outage that no caller is told of. It must not throw. */
  readonly report: (error: BellwireError) => void;
}

interface Failure {
  readonly error: unknown;
  /** By `performance.now()`. */
  readonly at: number;
}

/**
 * A connection to Redis, and whether it can be used. Where there never was one, the first failed attempt answers: nothing can have
 * been sent. Where there was one, callers wait for the next.
 */
export class RedisLink {
  readonly #redis: RedisClient;
  readonly #address: string | undefined;
  readonly #waiting = new Set<(failure?: BellwireError) => void>();
  #everReady: boolean;
  #last: Failure | undefined;
  #reported = false;
  /** Leaves a client that goes on to live. */
  readonly detach: () => void;

  constructor({ redis, address, report }: LinkOptions) {
    this.#redis = redis;
    this.#address = address;
    this.#everReady = redis.status === "ready";
    const onReady = (): void => {
      this.#everReady = true;
      this.#last = undefined;
      this.#reported = false;
      this.#settle();
    };
    const onError = (error: unknown): void => {
      this.#last = { error, at: performance.now() };
      if (!this.#everReady && this.#waiting.size > 0) this.#settle(this.#neverThere());
      else if (!this.#reported) {
        this.#reported = true;
        report(this.#away());
      }
    };
    const onEnd = (): void => this.#settle(closed());
    // Without a listener ioredis prints every failed attempt to connect.
    redis.on("ready", onReady).on("error", onError).on("end", onEnd);
    this.detach = () => void redis.off("ready", onReady).off("error", onError).off("end", onEnd);
  }

  get isReady(): boolean {
    return this.#redis.status === "ready";
  }

  /** Resolves once commands can be sent. Rejects with a BellwireError, within `timeout` milliseconds. */
  ready(timeout: number): Promise<void> {
    if (this.isReady) return Promise.resolve();
    const { status } = this.#redis;
    if (status === "end") return Promise.reject(closed());
    const fresh = this.#last !== undefined && performance.now() - this.#last.at < STALE_MS;
    if (!this.#everReady && fresh) return Promise.reject(this.#neverThere());
    return new Promise((resolve, reject) => {
      const settle = (failure?: BellwireError): void => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        if (failure === undefined) resolve();
        else reject(failure);
      };
      const timer = setTimeout(() => settle(this.#tooLate(timeout)), timeout);
      this.#waiting.add(settle);
      // Not after the pause that ioredis makes: the server may be there by now.
      const pausing = status === "reconnecting" && !this.#everReady && !(this.#redis instanceof Cluster);
      if (status === "wait" || pausing) this.#redis.connect().catch(() => undefined); // "ready", "error" or the timer tells
    });
  }

  #settle(failure?: BellwireError): void {
    for (const settle of [...this.#waiting]) settle(failure);
  }

  #tooLate(timeout: number): BellwireError {
    if (this.#everReady) return this.#away(` within ${timeout} ms`);
    return this.#last === undefined
      ? new NotSent(`Nothing was sent: ${this.#name} gave no answer within ${timeout} ms`)
      : this.#neverThere();
  }

  get #name(): string {
    return this.#address === undefined ? "Redis" : `Redis at ${this.#address}`;
  }

  #neverThere(): BellwireError {
    const error = this.#last?.error;
    return new NotSent(`Nothing was sent: ${this.#story()}`, { cause: error });
  }

  #away(more: string = ""): BellwireError {
    return new BellwireError("unavailable", `${this.#story()}${more}`, { cause: this.#last?.error });
  }

  #story(): string {
    if (this.#address === undefined) return "Redis can't be reached";
    return `${this.#name} can't be reached: ${this.#last === undefined ? "the connection is lost" : causeOf(this.#last.error)}`;
  }
}

function closed(): BellwireError {
  return new BellwireError("unavailable", "The connection to Redis is closed");
}

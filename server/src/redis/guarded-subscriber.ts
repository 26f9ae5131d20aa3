import type { Redis } from "ioredis";
import { backoff, within } from "@bellwire/emitter/time";

export interface GuardedSubscriberOptions {
  /** Makes a connection of its own, not yet connected, which ends where it is cut. */
  readonly open: () => Redis;
  /** Is this payload fit to be heard? */
  readonly accepts: (channel: string, payload: Buffer) => boolean;
  /** A payload was not accepted, or whoever heard it threw. */
  readonly onGarbage: () => void;
  /** All channels are confirmed, at first or again. */
  readonly onReady: () => void;
  readonly onError: (error: unknown) => void;
}

type Hear = (channel: Buffer, payload: Buffer) => unknown;

const ANSWER_MS = 5000;
// Asked for again this often: costs one command, and finds a connection that is open and dead.
const CONFIRM_MS = 10_000;
const RECONNECT_MS = { least: 50, most: 2000 } as const;

/**
 * What @socket.io/redis-adapter gets for its subscriber. The adapter throws, or rejects, on payloads that it can't read, forgets
 * the promises of its subscribes, and takes broadcasts, which nobody here sends: so only what is accepted reaches it, what it
 * throws ends here, its pattern for broadcasts is never subscribed, and its channels are subscribed again after each reconnect.
 */
export class GuardedSubscriber {
  readonly #options: GuardedSubscriberOptions;
  readonly #channels = new Set<string>();
  readonly #listeners = new Set<Hear>();
  readonly #confirmTimer: NodeJS.Timeout;
  #reconnectTimer: NodeJS.Timeout | undefined;
  #redis: Redis;
  /** The connection that all channels are confirmed on. */
  #ready: Redis | undefined;
  #attempts = 0;
  #closed = false;

  constructor(options: GuardedSubscriberOptions) {
    this.#options = options;
    this.#redis = this.#connect();
    this.#confirmTimer = setInterval(() => this.#confirm(this.#redis), CONFIRM_MS);
    this.#confirmTimer.unref();
  }

  #connect(): Redis {
    const redis = this.#options.open();
    redis.on("error", this.#options.onError);
    redis.on("messageBuffer", (channel: Buffer, payload: Buffer) => this.#hear(channel, payload));
    redis.on("ready", () => this.#confirm(redis));
    redis.on("end", () => this.#ended());
    redis.connect().catch(() => undefined); // "error" tells, and "end" tries again
    return redis;
  }

  #ended(): void {
    this.#ready = undefined;
    if (this.#closed) return;
    this.#reconnectTimer = setTimeout(
      () => {
        this.#redis = this.#connect();
      },
      backoff(++this.#attempts, RECONNECT_MS),
    );
  }

  #hear(channel: Buffer, payload: Buffer): void {
    const { accepts, onGarbage } = this.#options;
    if (!accepts(channel.toString(), payload)) return onGarbage();
    for (const listener of this.#listeners) {
      try {
        const heard = listener(channel, payload);
        if (heard instanceof Promise) heard.catch(onGarbage);
      } catch {
        onGarbage();
      }
    }
  }

  #confirm(redis: Redis): void {
    if (this.#closed || this.#channels.size === 0 || redis.status !== "ready") return;
    within(redis.subscribe(...this.#channels), ANSWER_MS, "Subscribing").then(
      () => this.#confirmed(redis),
      (error: unknown) => {
        if (this.#closed) return;
        this.#options.onError(error);
        redis.disconnect(); // connected and still deaf: start over rather than stay so
      },
    );
  }

  #confirmed(redis: Redis): void {
    if (this.#closed || this.#ready === redis || this.#redis !== redis) return;
    this.#attempts = 0;
    this.#ready = redis;
    this.#options.onReady();
  }

  /** Gives the connection up and makes a new one. */
  reconnect(): void {
    if (!this.#closed && this.#redis.status === "ready") this.#redis.disconnect();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#confirmTimer);
    clearTimeout(this.#reconnectTimer);
    this.#redis.disconnect();
  }

  // What the adapter calls.

  async subscribe(channels: readonly string[]): Promise<void> {
    for (const channel of channels) this.#channels.add(channel);
    this.#confirm(this.#redis);
  }

  async psubscribe(): Promise<void> {}

  async unsubscribe(): Promise<void> {}

  async punsubscribe(): Promise<void> {}

  on(event: string, listener: Hear): void {
    if (event === "messageBuffer") this.#listeners.add(listener);
  }

  off(_event: string, listener: Hear): void {
    this.#listeners.delete(listener);
  }
}

import { within, type RedisClient } from "@bellwire/emitter/internal";

export interface GuardedSubscriberOptions {
  /** A connection of its own, not yet connected. */
  readonly redis: RedisClient;
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
const RETRY_MS = 1000;

/**
 * What @socket.io/redis-adapter gets for its subscriber. The adapter throws, or rejects, on payloads that it can't read, forgets
 * the promises of its subscribes, and takes broadcasts, which nobody here sends: so only what is accepted reaches it, what it
 * throws ends here, its pattern for broadcasts is never subscribed, and its channels are subscribed again after each reconnect.
 */
export class GuardedSubscriber {
  readonly #options: GuardedSubscriberOptions;
  readonly #channels = new Set<string>();
  readonly #listeners = new Set<Hear>();
  readonly #timer: NodeJS.Timeout;
  #confirming = false;
  #failures = 0;
  #ready = false;
  #closed = false;

  constructor(options: GuardedSubscriberOptions) {
    this.#options = options;
    const { redis, onError } = options;
    redis.on("error", onError);
    redis.on("messageBuffer", (channel: Buffer, payload: Buffer) => this.#hear(channel, payload));
    redis.on("close", () => {
      this.#ready = false;
    });
    redis.on("ready", () => this.#confirm());
    redis.connect().catch(() => undefined); // "error" tells; ioredis tries again
    this.#timer = setInterval(() => this.#confirm(), CONFIRM_MS);
    this.#timer.unref();
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

  #confirm(): void {
    const { redis } = this.#options;
    if (this.#closed || this.#confirming || this.#channels.size === 0 || redis.status !== "ready") return;
    this.#confirming = true;
    within(redis.subscribe(...this.#channels), ANSWER_MS, "Subscribing")
      .then(
        () => this.#confirmed(),
        (error: unknown) => this.#failed(error),
      )
      .finally(() => {
        this.#confirming = false;
      });
  }

  #confirmed(): void {
    this.#failures = 0;
    if (this.#ready) return;
    this.#ready = true;
    this.#options.onReady();
  }

  #failed(error: unknown): void {
    if (this.#closed) return;
    const { redis, onError } = this.#options;
    this.#ready = false;
    onError(error);
    // Connected and still deaf: start over rather than stay so.
    if (++this.#failures % 2 === 0 && redis.status === "ready") redis.disconnect(true);
    else setTimeout(() => this.#confirm(), RETRY_MS).unref();
  }

  /** Gives the connection up and makes a new one. */
  reconnect(): void {
    if (!this.#closed && this.#options.redis.status === "ready") this.#options.redis.disconnect(true);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#options.redis.disconnect();
  }

  // What the adapter calls.

  async subscribe(channels: readonly string[]): Promise<void> {
    for (const channel of channels) this.#channels.add(channel);
    this.#confirm();
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

import type { Redis } from "ioredis";
import { BellwireError } from "@bellwire/protocol";
import { redisFailure } from "@bellwire/emitter/redis";
import { within } from "@bellwire/emitter/time";
import type { ChannelLine, ChannelsListener } from "./channels.js";
import { watchLiveness } from "./liveness.js";

const SUBSCRIBE_TIMEOUT_MS = 5000;
// Channels confirmed in one command after a reconnect.
const SUBSCRIBE_BATCH = 500;

export interface LineOptions {
  readonly id: string;
  readonly redis: Redis;
  readonly listener: ChannelsListener;
  readonly owns: (channel: string) => boolean;
  /** A Cluster's node takes channels of one slot a command only. */
  readonly oneByOne: boolean;
  /** The node says that a channel lives elsewhere. */
  readonly onMoved?: () => void;
}

/** A connection to one server, and the channels that come over it. After each reconnect it subscribes them anew, then tells. */
export class Line implements ChannelLine {
  readonly id: string;
  readonly #options: LineOptions;
  readonly #redis: Redis;
  /** Channels wanted, each with its confirmation under way on the present connection. */
  readonly #channels = new Map<string, Promise<void> | undefined>();
  /** Channels that the server has confirmed on the present connection. */
  readonly #confirmed = new Set<string>();
  /** True once all channels wanted are confirmed on the present connection. */
  #ready = false;
  #closed = false;
  readonly #unwatch: () => void;

  constructor(options: LineOptions) {
    this.id = options.id;
    this.#options = options;
    this.#redis = options.redis;
    const { redis, listener, onMoved } = options;
    redis.on("error", (error) => listener.error(error, "channels"));
    redis.on("smessage", (channel: string, payload: string) => listener.message(channel, payload));
    redis.on("close", () => this.#cut("the connection for channels is away"));
    redis.on("ready", () => this.#resume());
    redis.on("moved", () => onMoved?.());
    redis.connect().catch(() => undefined); // "error" tells; ioredis tries again
    this.#unwatch = watchLiveness(redis);
  }

  get ready(): boolean {
    return this.#ready;
  }

  get channels(): readonly string[] {
    return [...this.#channels.keys()];
  }

  hears(channel: string): boolean {
    return this.#ready && this.#confirmed.has(channel);
  }

  owns(channel: string): boolean {
    return this.#options.owns(channel);
  }

  async add(channel: string): Promise<void> {
    if (!this.#ready) {
      if (!this.#channels.has(channel)) this.#channels.set(channel, undefined);
      throw new BellwireError("unavailable", "Redis is away; the channel is subscribed when it is back");
    }
    let confirmed = this.#channels.get(channel);
    if (confirmed === undefined) {
      confirmed = this.#confirm(channel);
      this.#channels.set(channel, confirmed);
    }
    await confirmed;
  }

  async #confirm(channel: string): Promise<void> {
    try {
      await within(this.#redis.ssubscribe(channel), SUBSCRIBE_TIMEOUT_MS, "Subscribing");
      if (this.#channels.has(channel)) this.#confirmed.add(channel);
    } catch (error) {
      if (this.#channels.has(channel)) this.#channels.set(channel, undefined); // asked for again, it is sent again
      if ((error as Error).message.startsWith("MOVED")) this.#options.onMoved?.();
      throw redisFailure(error);
    }
  }

  remove(channel: string): void {
    if (!this.forget(channel) || this.#redis.status !== "ready") return;
    this.#redis.sunsubscribe(channel).catch(() => undefined); // cut meanwhile: then it is gone anyway
  }

  /** Wants a channel no longer, without a word to the server, which has dropped it itself. False where it was not wanted. */
  forget(channel: string): boolean {
    this.#confirmed.delete(channel);
    return this.#channels.delete(channel);
  }

  #resume(): void {
    this.#subscribeAll().then(
      () => this.#options.listener.ready(),
      (error: unknown) => {
        if (this.#closed) return;
        this.#options.listener.error(error, "subscribe again");
        // Connected and still deaf: start over rather than stay so.
        if (this.#redis.status === "ready") this.#redis.disconnect(true);
      },
    );
  }

  async #subscribeAll(): Promise<void> {
    const asked = new Set<string>();
    const confirmed: string[] = [];
    const batch = this.#options.oneByOne ? 1 : SUBSCRIBE_BATCH;
    // Channels asked for while this runs were refused by `add`, and are wanted all the same: go on until none is left.
    for (;;) {
      const missing = this.channels.filter((channel) => !asked.has(channel)).slice(0, batch);
      if (missing.length === 0) break;
      for (const channel of missing) asked.add(channel);
      if (await this.#subscribeHere(missing)) confirmed.push(...missing);
    }
    if (this.#closed || this.#redis.status !== "ready") return;
    this.#ready = true;
    const wanted = confirmed.filter((channel) => this.#channels.has(channel));
    for (const channel of wanted) {
      this.#channels.set(channel, Promise.resolve());
      this.#confirmed.add(channel);
    }
    if (wanted.length > 0) this.#options.listener.restored(wanted);
  }

  /** False where the server says that these channels live elsewhere: they are not for this line, and must not keep it from the others. */
  async #subscribeHere(channels: readonly string[]): Promise<boolean> {
    try {
      await within(this.#redis.ssubscribe(...channels), SUBSCRIBE_TIMEOUT_MS, "Subscribing");
      return true;
    } catch (error) {
      if (!(error as Error).message.startsWith("MOVED")) throw error;
      this.#options.onMoved?.();
      return false;
    }
  }

  #cut(cause: string): void {
    if (!this.#ready) return;
    this.#ready = false;
    this.#confirmed.clear();
    for (const channel of this.#channels.keys()) this.#channels.set(channel, undefined);
    if (this.#channels.size > 0) this.#options.listener.lost(this.channels, cause);
  }

  reconnect(cause: string): void {
    this.#cut(cause);
    if (!this.#closed) this.#redis.disconnect(true);
  }

  close(): void {
    this.#closed = true;
    this.#unwatch();
    this.#ready = false;
    this.#redis.disconnect();
  }
}

import type { Redis } from "ioredis";
import { connectSubscriber, type RedisTarget } from "@bellwire/emitter/redis";
import type { ChannelLine, Channels, ChannelsListener } from "./channels.js";
import { Line } from "./line.js";

/** Channels of one Redis, or of whoever Sentinel says is master: all come over one line. */
export class SingleChannels implements Channels {
  readonly #target: RedisTarget;
  #line: Line | undefined;

  constructor(target: RedisTarget) {
    this.#target = target;
  }

  start(listener: ChannelsListener): void {
    const redis = connectSubscriber(this.#target, { lazyConnect: true }) as Redis;
    this.#line = new Line({ id: "master", redis, listener, owns: () => true, oneByOne: false });
  }

  get lines(): readonly ChannelLine[] {
    return this.#line === undefined ? [] : [this.#line];
  }

  get problem(): string | undefined {
    return this.#line?.ready === true ? undefined : "the connection for channels is away";
  }

  hears(channel: string): boolean {
    return this.#line?.hears(channel) === true;
  }

  async subscribe(channel: string): Promise<void> {
    await this.#line?.add(channel);
  }

  unsubscribe(channel: string): void {
    this.#line?.remove(channel);
  }

  close(): void {
    this.#line?.close();
  }
}

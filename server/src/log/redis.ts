import { BellwireError, type Position } from "@bellwire/protocol";
import {
  connectCommands,
  connectSubscriber,
  createRedisTransport,
  databaseOf,
  isCluster,
  Keys,
  logLimitsOf,
  redisFailure,
  whenReady,
  withLogCommands,
  within,
  type LogCommands,
  type LogLimits,
  type Publication,
  type RedisClient,
  type RedisTarget,
  type Transport,
} from "@bellwire/emitter/internal";
import { decodePayload, decodeTail } from "./decode.js";
import { Probe } from "./probe.js";
import { requireVersion } from "./redis-version.js";
import { feedName, type LogListener, type LogStatus, type Tail, type TopicLog } from "./topic-log.js";

export interface RedisLogOptions {
  readonly target: RedisTarget;
  readonly prefix?: string | undefined;
  readonly limits: readonly (readonly [pattern: string, limits: LogLimits])[];
  /** This relay's id, for its heartbeat and its probe. */
  readonly relay: string;
  /** Connection troubles, for the log; nothing depends on them. */
  readonly onError: (error: unknown, stage: string) => void;
  /** Called at the first contact and after each outage. */
  readonly onUp?: () => void;
  /** Called when the server turns out unusable for good, e.g. too old: the relay ends with this sentence. */
  readonly onFatal?: (message: string) => void;
}

const READ_TIMEOUT_MS = 3000;
const SUBSCRIBE_TIMEOUT_MS = 5000;
// Channels confirmed per round trip after a reconnect.
const SUBSCRIBE_BATCH = 500;
const HEARTBEAT_MS = 5000;
const HEARTBEAT_LIFE_MS = 30_000;

interface Channel {
  readonly feed: string;
  /** Settles when Redis has confirmed the channel on the present connection; undefined before anybody asked. */
  confirmed: Promise<void> | undefined;
}

/** Topic logs on Redis: a stream per topic, and a sharded channel of the same name. */
export class RedisLog implements TopicLog {
  readonly #options: RedisLogOptions;
  readonly #keys: Keys;
  readonly #commands: RedisClient & LogCommands;
  readonly #subscriber: RedisClient;
  readonly #transport: Transport;
  readonly #probe: Probe;
  /** Channels wanted, by name. */
  readonly #channels = new Map<string, Channel>();
  #listener: LogListener | undefined;
  #hearing = false;
  #everUp = false;
  #problem: string | undefined = "not connected yet";
  #heartbeat: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: RedisLogOptions) {
    const { target, prefix, limits, relay } = options;
    this.#options = options;
    this.#keys = new Keys(prefix, databaseOf(target));
    // A stopped Redis answers nothing and closes nothing: give up on such a connection, and make a new one.
    this.#commands = withLogCommands(connectCommands(target, { lazyConnect: true, socketTimeout: 10_000 }));
    this.#subscriber = connectSubscriber(target, { lazyConnect: true });
    this.#transport = createRedisTransport({
      redis: this.#commands,
      logs: limits,
      onNoRelay: () => undefined,
      ...(prefix === undefined ? {} : { prefix }),
    });
    this.#probe = new Probe({
      relay,
      append: (publication, timeout) => this.append(publication, timeout),
      channel: (site, topic) => this.#keys.log(site, topic),
      onDeaf: () => this.#deaf(),
    });
  }

  get status(): LogStatus {
    return {
      kind: "redis",
      hearing: this.#hearing,
      up: this.#hearing && this.#commands.status === "ready",
      everUp: this.#everUp,
      problem: this.#hearing && this.#commands.status !== "ready" ? "the connection for commands is away" : this.#problem,
    };
  }

  async start(listener: LogListener): Promise<void> {
    this.#listener = listener;
    const { onError } = this.#options;
    this.#commands.on("error", (error) => onError(error, "commands"));
    this.#subscriber.on("error", (error) => onError(error, "subscriber"));
    this.#subscriber.on("smessage", (channel: string, payload: string) => this.#hear(channel, payload));
    this.#subscriber.on("close", () => this.#cut("the connection for channels is away"));
    this.#subscriber.on("ready", () => {
      this.#resubscribe().catch((error: unknown) => {
        // Still deaf although connected: start over rather than stay so.
        onError(error, "resubscribe");
        this.#deaf();
      });
    });
    this.#commands.on("ready", () => {
      requireVersion(this.#commands).catch((error: unknown) => this.#unusable(error));
      this.#announce();
    });
    this.#commands.connect().catch(() => undefined); // "error" has told; ioredis tries again
    this.#subscriber.connect().catch(() => undefined);
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    this.#heartbeat.unref();
  }

  append(publication: Publication, timeout: number): Promise<Position> {
    return this.#transport.append(publication, timeout);
  }

  async read(site: string, topic: string, since?: Position): Promise<Tail> {
    const { messages, age } = logLimitsOf(this.#options.limits, topic);
    const from = since === undefined ? "-" : `${since.epoch}-${since.offset}`;
    try {
      await whenReady(this.#commands, READ_TIMEOUT_MS);
      const reply = this.#commands.bellwireRead(this.#keys.log(site, topic), from, messages, age);
      const tail = decodeTail(await within(reply, READ_TIMEOUT_MS, "Reading the log"));
      if (tail === undefined) throw new BellwireError("internal", "Redis answered something that is no log");
      return tail;
    } catch (error) {
      throw redisFailure(error);
    }
  }

  async listen(site: string, topic: string): Promise<void> {
    const name = this.#keys.log(site, topic);
    let channel = this.#channels.get(name);
    if (channel === undefined) this.#channels.set(name, (channel = { feed: feedName(site, topic), confirmed: undefined }));
    if (!this.#hearing) throw new BellwireError("unavailable", "Redis is away; the channel is subscribed when it is back");
    channel.confirmed ??= this.#subscribe(name, channel);
    await channel.confirmed;
  }

  unlisten(site: string, topic: string): void {
    const channel = this.#keys.log(site, topic);
    if (!this.#channels.delete(channel) || !this.#hearing) return;
    this.#subscriber.sunsubscribe(channel).catch(() => undefined); // cut meanwhile: then it is gone anyway
  }

  async #subscribe(name: string, channel: Channel): Promise<void> {
    try {
      await within(this.#subscriber.ssubscribe(name), SUBSCRIBE_TIMEOUT_MS, "Subscribing");
    } catch (error) {
      channel.confirmed = undefined; // the next `listen` asks again
      throw redisFailure(error);
    }
  }

  async #resubscribe(): Promise<void> {
    const all = [this.#probe.channelName, ...this.#channels.keys()];
    const asked = new Set(all);
    // On a Cluster one command can't name channels of several slots.
    const batch = isCluster(this.#options.target) ? 1 : SUBSCRIBE_BATCH;
    for (let i = 0; i < all.length; i += batch) {
      await within(this.#subscriber.ssubscribe(...all.slice(i, i + batch)), SUBSCRIBE_TIMEOUT_MS, "Subscribing");
    }
    // Channels that were asked for meanwhile were refused by `listen`, and are wanted now: one more round for them.
    const missed = [...this.#channels.keys()].some((name) => !asked.has(name));
    if (missed) return this.#resubscribe();
    if (this.#closed || this.#subscriber.status !== "ready") return;
    for (const channel of this.#channels.values()) channel.confirmed = Promise.resolve();
    this.#hearing = true;
    this.#problem = undefined;
    this.#announce();
    this.#probe.start();
    this.#listener?.restored();
  }

  #hear(channel: string, payload: string): void {
    if (channel === this.#probe.channelName) return this.#probe.heard(payload);
    const feed = this.#channels.get(channel)?.feed;
    if (feed === undefined) return;
    const heard = decodePayload(payload);
    if (heard === undefined) this.#listener?.garbage(feed);
    else this.#listener?.message(feed, heard.epoch, heard.entry);
  }

  #cut(cause: string): void {
    this.#probe.stop();
    if (!this.#hearing) return;
    this.#hearing = false;
    this.#problem = cause;
    for (const channel of this.#channels.values()) channel.confirmed = undefined;
    this.#listener?.lost(cause);
  }

  /** The connection looks open and brings nothing: make a new one. */
  #deaf(): void {
    this.#cut("channels bring nothing");
    if (!this.#closed) this.#subscriber.disconnect(true);
  }

  #announce(): void {
    if (!this.status.up) return;
    this.#everUp = true;
    this.#options.onUp?.();
    this.#beat();
  }

  /** Tells emitters that somebody hears them. */
  #beat(): void {
    if (!this.status.up) return;
    const now = Date.now();
    const key = this.#keys.relays();
    Promise.all([
      this.#commands.zadd(key, now + HEARTBEAT_LIFE_MS, this.#options.relay),
      this.#commands.zremrangebyscore(key, "-inf", now),
      this.#commands.pexpire(key, HEARTBEAT_LIFE_MS),
    ]).catch((error: unknown) => this.#options.onError(error, "heartbeat"));
  }

  #unusable(error: unknown): void {
    if (error instanceof BellwireError && error.code === "unsupported") this.#options.onFatal?.(error.message);
    else this.#options.onError(error, "version");
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#heartbeat);
    this.#probe.stop();
    if (this.#commands.status === "ready") {
      await within(this.#commands.zrem(this.#keys.relays(), this.#options.relay), 500, "Leaving").catch(() => undefined);
    }
    this.#hearing = false;
    this.#commands.disconnect();
    this.#subscriber.disconnect();
  }
}

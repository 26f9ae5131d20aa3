import type { Cluster } from "ioredis";
import { BellwireError, type Position } from "@bellwire/protocol";
import {
  connectCommands,
  createRedisTransport,
  databaseOf,
  DEFAULT_LOG,
  isCluster,
  Keys,
  redisFailure,
  whenReady,
  withLogCommands,
  type LogCommands,
  type LogLimitsOf,
  type RedisClient,
  type RedisTarget,
} from "@bellwire/emitter/redis";
import { within } from "@bellwire/emitter/time";
import type { Publication, Transport } from "@bellwire/emitter/publication";
import { ClusterChannels } from "../../redis/channels-cluster.js";
import { SingleChannels } from "../../redis/channels-single.js";
import type { Channels } from "../../redis/channels.js";
import { RemoteClock } from "../../pacing/remote-clock.js";
import { decodePage, decodePayload, type Page } from "./decode.js";
import { watchLiveness } from "../../redis/liveness.js";
import { beganAt, isClockEpoch, isNewerClockEpoch } from "../clock-epochs.js";
import { PAGE_ENTRIES, readInPages } from "./pages.js";
import { Probe } from "../../redis/probe.js";
import { requireVersion } from "../../redis/version.js";
import { watchMaster } from "../../redis/sentinel.js";
import { type LogListener, type LogStatus, type Tail, type TopicLog } from "../log.js";

export interface RedisLogOptions {
  readonly target: RedisTarget;
  readonly prefix?: string | undefined;
  /** How much each log keeps; default the same for all. */
  readonly limitsOf?: LogLimitsOf;
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
const HEARTBEAT_MS = 5000;
const HEARTBEAT_LIFE_MS = 30_000;

/** Topic logs on Redis: a stream per topic, and a sharded channel of the same name. */
export class RedisLog implements TopicLog {
  readonly #options: RedisLogOptions;
  readonly #keys: Keys;
  readonly #commands: RedisClient & LogCommands;
  readonly #channels: Channels;
  readonly #transport: Transport;
  readonly #probe: Probe;
  readonly #clock = new RemoteClock();
  #listener: LogListener | undefined;
  #everUp = false;
  /** Said to be up since it last was not. */
  #announced = false;
  #heartbeat: NodeJS.Timeout | undefined;
  readonly #watches: (() => void)[] = [];

  constructor(options: RedisLogOptions) {
    const { target, prefix, limitsOf, relay } = options;
    this.#options = options;
    this.#keys = new Keys(prefix, databaseOf(target));
    // A stopped Redis answers nothing and closes nothing: give up on such a connection, and make a new one.
    this.#commands = withLogCommands(connectCommands(target, { lazyConnect: true, socketTimeout: 10_000 }));
    this.#channels = isCluster(target) ? new ClusterChannels(target, this.#commands as Cluster) : new SingleChannels(target);
    this.#transport = createRedisTransport({
      redis: this.#commands,
      onNoRelay: () => undefined,
      discreet: true, // what clients and backends are told; the log has the whole story
      ...(prefix === undefined ? {} : { prefix }),
      ...(limitsOf === undefined ? {} : { logs: limitsOf }),
    });
    this.#probe = new Probe({
      relay,
      append: (publication, timeout) => this.append(publication, timeout),
      channelOf: (site, topic) => this.#keys.log(site, topic),
      channels: this.#channels,
      onNewEpoch: () => this.#listener?.renewed(),
    });
  }

  /** The connection for commands, for others that want no further one. It is the log's to open and close. */
  get commands(): RedisClient {
    return this.#commands;
  }

  get status(): LogStatus {
    const problem = this.#commands.status === "ready" ? this.#channels.problem : "the connection for commands is away";
    return { up: problem === undefined, everUp: this.#everUp, problem };
  }

  async start(listener: LogListener): Promise<void> {
    this.#listener = listener;
    const { onError, target } = this.#options;
    this.#commands.on("error", (error) => onError(error, "commands"));
    this.#commands.on("close", () => {
      this.#announced = false;
    });
    this.#commands.on("ready", () => {
      requireVersion(this.#commands).catch((error: unknown) => this.#unusable(error));
      this.#announce();
    });
    this.#channels.start({
      message: (channel, payload) => this.#hear(channel, payload),
      lost: (channels, cause) => {
        this.#announced = false;
        listener.lost(this.#feeds(channels), cause);
      },
      restored: (channels) => listener.restored(this.#feeds(channels)),
      ready: () => this.#announce(),
      error: onError,
    });
    this.#commands.connect().catch(() => undefined); // "error" has told; ioredis tries again
    this.#probe.start();
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    this.#heartbeat.unref();
    const sentinel = watchMaster(target, this.#commands, (cause) => {
      this.#commands.disconnect(true);
      for (const line of this.#channels.lines) line.reconnect(cause);
    });
    this.#watches.push(sentinel, watchLiveness(this.#commands));
  }

  #feeds(channels: readonly string[]): string[] {
    return channels.flatMap((channel) => this.#keys.feedOfChannel(channel) ?? []);
  }

  append(publication: Publication, timeout: number): Promise<Position> {
    return this.#transport.append(publication, timeout);
  }

  async read(site: string, topic: string, since?: Position, limit?: number): Promise<Tail> {
    if (limit === 0 || (since !== undefined && !isClockEpoch(since.epoch))) return this.#readNewest(site, topic, 0);
    if (since === undefined && limit !== undefined) return this.#readNewest(site, topic, limit);
    const key = this.#keys.log(site, topic);
    const rows = (after: string): Promise<unknown[]> =>
      this.#ask(() => this.#commands.xrange(key, `(${after}`, "+", "COUNT", PAGE_ENTRIES));
    return readInPages({ page: (after) => this.#page(site, topic, after), rows }, since, limit);
  }

  async #readNewest(site: string, topic: string, limit: number): Promise<Tail> {
    // One more than the messages: the opening entry of a young log holds none.
    const { head, entries } = await this.#page(site, topic, "+", Math.min(limit + 1, PAGE_ENTRIES));
    if (limit < PAGE_ENTRIES) return { head, entries: limit === 0 ? [] : entries.slice(-limit) };
    const read = await this.read(site, topic, { ...head, offset: Math.max(0, head.offset - limit) });
    return { head: read.head, entries: read.entries.slice(-limit) };
  }

  began(epoch: string): number {
    return beganAt(epoch);
  }

  isNewer(epoch: string, than: string): boolean {
    return isNewerClockEpoch(epoch, than);
  }

  async #page(site: string, topic: string, after: string, entries: number = PAGE_ENTRIES): Promise<Page> {
    const { messages, age } = this.#options.limitsOf?.(site, topic) ?? DEFAULT_LOG;
    let sent = 0;
    const reply = await this.#ask(() => {
      sent = performance.now();
      return this.#commands.bellwireRead(this.#keys.log(site, topic), after, messages, age, entries);
    });
    const page = decodePage(reply);
    if (page === undefined) throw new BellwireError("internal", "Redis answered something that is no log");
    this.#clock.heard(page.now, sent, performance.now());
    return page;
  }

  /** Rejects with a BellwireError within the time that a page may take. */
  async #ask<T>(send: () => Promise<T>): Promise<T> {
    try {
      await whenReady(this.#commands, READ_TIMEOUT_MS);
      return await within(send(), READ_TIMEOUT_MS, "Reading the log");
    } catch (error) {
      throw redisFailure(error);
    }
  }

  now(): number {
    return this.#clock.at(performance.now()) ?? Date.now();
  }

  async listen(site: string, topic: string): Promise<void> {
    await this.#channels.subscribe(this.#keys.log(site, topic));
  }

  unlisten(site: string, topic: string): void {
    this.#channels.unsubscribe(this.#keys.log(site, topic));
  }

  hears(site: string, topic: string): boolean {
    return this.#channels.hears(this.#keys.log(site, topic));
  }

  #hear(channel: string, payload: string): void {
    if (this.#probe.heard(channel, payload)) return;
    const feed = this.#keys.feedOfChannel(channel);
    if (feed === undefined) return;
    const heard = decodePayload(payload);
    if (heard === undefined) this.#listener?.garbage(feed);
    else this.#listener?.message(feed, heard.epoch, heard.entry);
  }

  #announce(): void {
    if (!this.status.up || this.#announced) return;
    this.#announced = true;
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
    clearInterval(this.#heartbeat);
    this.#probe.stop();
    for (const stop of this.#watches) stop();
    if (this.#commands.status === "ready") {
      await within(this.#commands.zrem(this.#keys.relays(), this.#options.relay), 500, "Leaving").catch(() => undefined);
    }
    this.#channels.close();
    this.#commands.disconnect();
  }
}

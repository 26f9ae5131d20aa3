import { isReservedTopic, type Position, type TopicPosition } from "@bellwire/protocol";
import { DEFAULT_LOG, type LogLimits, type LogLimitsOf } from "@bellwire/emitter/redis";
import { backoff, within } from "@bellwire/emitter/time";
import type { Metrics } from "../observe/metrics.js";
import { feedName, TAIL_MESSAGES, type Entry, type LogListener, type Tail, type TopicLog } from "../stores/log.js";
import { FairTurns } from "../pacing/fair-turns.js";
import { Feed } from "./feed.js";
import type { FeedHost, ResyncCause } from "./feed-host.js";
import type { Member, Recipient } from "./member.js";
import type { Message } from "./message.js";
import { Rotation } from "../pacing/rotation.js";

export interface FeedsOptions {
  readonly log: TopicLog;
  /** How much each log keeps; default the same for all. */
  readonly limitsOf?: LogLimitsOf;
  readonly observe: FeedHost<Feed>["observe"];
  readonly inspect?: ((feed: Feed, message: Message) => void) | undefined;
  /** True where another server may take the log's place: with Sentinel, or on a Cluster. */
  readonly failover?: boolean;
  /** Sockets connected to this relay now. */
  readonly sockets: () => number;
  /** Awaited after each reading of a log, before anything of it is delivered: what was revoked while the log was away is known then. Never rejects. */
  readonly checked?: () => Promise<void>;
  readonly timing?: Partial<FeedTiming>;
  readonly metrics?: Metrics;
}

/** Milliseconds unless named otherwise. */
export interface FeedTiming {
  /** How long a subscribe waits for its feed before it is admitted as degraded. */
  readonly open: number;
  /** How long a feed without members stays open. */
  readonly linger: number;
  /** How often the heads of open feeds are compared with their logs. One that moved within the round may wait twice as long. */
  readonly compare: number;
  /** How often a client is told how far its topics went on without a match. */
  readonly positions: number;
  /** Refetches per second that a relay's clients should cause at most, on average, after a resync. */
  readonly refetchRate: number;
  /** How long after a failover nobody publishes to the old master any more: Sentinels and emitters have noticed by then. */
  readonly failover: number;
}

const TIMING: FeedTiming = { open: 3000, linger: 5000, compare: 4000, positions: 30_000, refetchRate: 500, failover: 10_000 };
const TICK_MS = 250;
const MAX_SPREAD_MS = 30_000;
// The tails of all feeds together; past it each feed keeps little and older messages are read from the log again.
const RING_BUDGET = 256 * 1_048_576;
const RING_BYTES = { ample: 4 * 1_048_576, scarce: 65_536 } as const;
// Reads sent at once after an outage: enough to keep Redis busy, few enough to leave room for others.
const CATCH_UP_BATCH = 256;
const READS_AT_ONCE = { short: 16, long: 4 } as const;
const RETRY_MS = { least: 100, most: 2000 } as const;

/** A log's limits as they are whenever somebody looks. */
class CurrentLimits implements LogLimits {
  readonly #of: LogLimitsOf;
  readonly #site: string;
  readonly #topic: string;

  constructor(of: LogLimitsOf, site: string, topic: string) {
    this.#of = of;
    this.#site = site;
    this.#topic = topic;
  }

  get messages(): number {
    return this.#of(this.#site, this.#topic).messages;
  }

  get age(): number {
    return this.#of(this.#site, this.#topic).age;
  }
}

/** All feeds of a relay: opens and closes them, brings them what the log tells, and looks after those that nobody tells anything. */
export class Feeds implements LogListener, FeedHost<Feed> {
  readonly #feeds = new Map<string, Feed>();
  readonly #log: TopicLog;
  readonly #options: FeedsOptions;
  readonly #timing: FeedTiming;
  #flushing: Feed[] = [];
  #ringBytes = 0;
  /** Catch-ups of many feeds under way. */
  #restoring = 0;
  // A relay that starts opens thousands of topics at once. What it asks Redis stands in Redis's queue before everybody else's.
  readonly #reads = new FairTurns(READS_AT_ONCE);
  /** Feeds that are owed a second resync after a failover, and from when on; milliseconds of `performance.now()`. */
  readonly #again = new Map<Feed, number>();
  #failedOver = Number.NEGATIVE_INFINITY;
  readonly #compared: Rotation<Feed>;
  readonly #positioned: Rotation<Feed>;
  readonly #timer: NodeJS.Timeout;
  readonly inspect: ((feed: Feed, message: Message) => void) | undefined;

  constructor(options: FeedsOptions) {
    this.#log = options.log;
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    this.inspect = options.inspect;
    this.#compared = new Rotation(() => this.#feeds.values(), this.#timing.compare / TICK_MS);
    this.#positioned = new Rotation(() => this.#feeds.values(), this.#timing.positions / TICK_MS);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
    const { metrics } = options;
    metrics?.gauge("feeds", "Topics that this relay listens to", () => this.size);
    metrics?.gauge("feeds_suspended", "Feeds that can't vouch for their head right now", () => this.suspended);
    metrics?.gauge("cached_messages", "Messages in the feeds' memory", () => this.cached);
    metrics?.gauge("log_reads_waiting", "Readings of logs that wait for their turn", () => this.#reads.waiting);
  }

  get size(): number {
    return this.#feeds.size;
  }

  /** All of them, in the order in which they opened. */
  open(): Iterable<Feed> {
    return this.#feeds.values();
  }

  /** Messages held in memory over all feeds. */
  get cached(): number {
    let messages = 0;
    for (const feed of this.#feeds.values()) messages += feed.ring.size;
    return messages;
  }

  /** Feeds that can't vouch for their head right now. */
  get suspended(): number {
    let feeds = 0;
    for (const feed of this.#feeds.values()) if (!feed.live) feeds++;
    return feeds;
  }

  /**
   * Claims the feed of a topic, opening it where it is not, and waits until it is live or known not to become so soon.
   * Never rejects: a feed that is not live afterwards admits its subscribers as degraded. The caller MUST `release` it.
   */
  async claim(site: string, topic: string): Promise<Feed> {
    const name = feedName(site, topic);
    let feed = this.#feeds.get(name);
    if (feed === undefined) {
      this.#feeds.set(name, (feed = this.#create(name, site, topic)));
      const due = this.#failedOver + this.#timing.failover;
      if (performance.now() < due) this.#owe(feed, due);
    }
    feed.claims++;
    if (!feed.live) await within(this.#open(feed), this.#timing.open, "Opening the topic").catch(() => undefined);
    return feed;
  }

  release(feed: Feed): void {
    feed.claims--;
    if (feed.idle) feed.idleSince = Date.now();
  }

  #create(name: string, site: string, topic: string): Feed {
    const limits = new CurrentLimits(this.#options.limitsOf ?? (() => DEFAULT_LOG), site, topic);
    return new Feed({ site, topic, shownTopic: topicAsShown(topic), name, limits, host: this });
  }

  /** In this order: channel confirmed, tail read, merged. Otherwise a message between the two would be missed. */
  async #open(feed: Feed): Promise<void> {
    await this.#log.listen(feed.site, feed.topic);
    await feed.catchUp();
  }

  // FeedHost<Feed>

  async read({ site, topic }: Feed, since?: Position): Promise<Tail> {
    const tail = await this.#reads.take(since === undefined ? "long" : "short", site, () => this.#log.read(site, topic, since));
    await this.#options.checked?.();
    return tail;
  }

  async readTail({ site, topic }: Feed): Promise<Tail> {
    const tail = await this.#reads.take("short", site, () => this.#log.read(site, topic, undefined, TAIL_MESSAGES));
    await this.#options.checked?.();
    return tail;
  }

  isNewer(epoch: string, than: string): boolean {
    return this.#log.isNewer(epoch, than);
  }

  now(): number {
    return this.#log.now();
  }

  scheduleFlush(feed: Feed): void {
    // One turn's messages go out together. With nothing else to do the turn ends at once, so a lone message does not wait.
    if (this.#flushing.push(feed) === 1) setImmediate(() => this.flush());
  }

  flush(): void {
    const feeds = this.#flushing;
    this.#flushing = [];
    for (const feed of feeds) feed.flush();
  }

  hears(feed: Feed): boolean {
    return this.#log.hears(feed.site, feed.topic);
  }

  spread(members: number): number {
    // After an outage each topic resyncs its few members, but all of them refetch from the same backend.
    const sockets = this.#restoring > 0 ? this.#options.sockets() : members;
    return Math.min(MAX_SPREAD_MS, Math.ceil((sockets / this.#timing.refetchRate) * 1000));
  }

  ringBytes(): number {
    return this.#ringBytes > RING_BUDGET ? RING_BYTES.scarce : RING_BYTES.ample;
  }

  observe(event: Parameters<FeedHost<Feed>["observe"]>[0], feed: Feed, cause?: ResyncCause): void {
    this.#options.observe(event, feed);
    if (cause === "epoch") this.#failOver(feed);
  }

  rumour(feed: Feed): void {
    // Past it this relay has told its clients, or had none.
    if (feed.head !== undefined && this.now() - this.#log.began(feed.head.epoch) < this.#timing.failover) this.#failOver(feed);
  }

  /**
   * A demoted master goes on taking appends until it is told, from emitters that were not told either; all of that is gone
   * afterwards, and nothing in the new master's log shows it. So whoever heard of the failover hears of it once more, and with
   * them whoever came to a topic that opened meanwhile. Another failover begins that time anew.
   */
  #failOver(feed?: Feed): void {
    if (this.#options.failover !== true) return;
    const now = performance.now();
    const due = now + this.#timing.failover;
    this.#failedOver = now;
    if (feed !== undefined) this.#owe(feed, due);
    for (const other of this.#feeds.values()) if (now - other.openedAt < this.#timing.failover) this.#again.set(other, due);
  }

  #owe(feed: Feed, due: number): void {
    feed.unsettle();
    this.#again.set(feed, due);
  }

  #resyncAgain(): void {
    const now = performance.now();
    for (const [feed, due] of this.#again) {
      if (now < due) continue;
      this.#again.delete(feed);
      if (this.#feeds.get(feed.name) === feed) feed.resyncAgain();
    }
  }

  // LogListener

  message(name: string, epoch: string, entry: Entry): void {
    this.#feeds.get(name)?.hear(epoch, entry);
  }

  garbage(name: string): void {
    this.#feeds.get(name)?.suspect();
  }

  lost(names: readonly string[]): void {
    for (const name of names) this.#feeds.get(name)?.suspend();
  }

  renewed(): void {
    this.#failOver();
  }

  /** Catches feeds up from the log, some at a time. */
  restored(names: readonly string[]): void {
    const feeds = names.flatMap((name) => this.#feeds.get(name) ?? []);
    this.#restoring++;
    this.#catchUp(feeds).finally(() => {
      this.#restoring--;
    });
  }

  async #catchUp(feeds: readonly Feed[]): Promise<void> {
    for (let i = 0; i < feeds.length; i += CATCH_UP_BATCH) {
      await Promise.all(feeds.slice(i, i + CATCH_UP_BATCH).map((feed) => this.#catchUpOne(feed)));
    }
  }

  /** Reads one feed's log, again where that fails, for as long as its channel is heard: until then it delivers nothing. */
  async #catchUpOne(feed: Feed, attempt = 0): Promise<void> {
    try {
      await feed.catchUp();
    } catch {
      if (feed.live || !this.hears(feed) || this.#feeds.get(feed.name) !== feed) return;
      const delay = backoff(attempt + 1, RETRY_MS);
      setTimeout(() => void this.#catchUpOne(feed, attempt + 1), delay).unref();
    }
  }

  // The clock

  #tick(): void {
    this.#resyncAgain();
    this.#sendPositions(this.#positioned.next());
    for (const feed of this.#compared.next()) {
      if (this.#feeds.get(feed.name) !== feed) continue; // closed since the round began
      if (feed.idle) this.#closeIdle(feed);
      else this.#compare(feed);
    }
    let bytes = 0;
    for (const feed of this.#feeds.values()) bytes += feed.ring.bytes;
    this.#ringBytes = bytes;
  }

  #closeIdle(feed: Feed): void {
    if (Date.now() - feed.idleSince < this.#timing.linger) return;
    this.#feeds.delete(feed.name);
    this.#log.unlisten(feed.site, feed.topic);
  }

  /** The last message of a topic can be lost without any error (a slot that migrates, a demoted master): only looking finds it. */
  #compare(feed: Feed): void {
    if (!feed.live) {
      this.#open(feed).catch(() => undefined); // tried again at the next comparison
      return;
    }
    this.#log.read(feed.site, feed.topic, feed.head).then(
      (tail) => feed.compare(tail),
      () => undefined, // the log tells of its own outages
    );
  }

  /** Tells clients how far their topics went on without a match, so that they come back to a position the log still holds. */
  #sendPositions(feeds: readonly Feed[]): void {
    const lists = new Map<Recipient, { site: string; entries: TopicPosition[] }>();
    for (const feed of feeds) {
      const untold = feed.untold();
      if (untold === undefined) continue;
      feed.flush();
      for (const member of untold.members) this.#collect(lists, feed, member, untold.entry);
    }
    for (const [recipient, { site, entries }] of lists) {
      recipient.send(recipient.codec.positions(site, entries));
    }
  }

  #collect(lists: Map<Recipient, { site: string; entries: TopicPosition[] }>, feed: Feed, member: Member, entry: TopicPosition): void {
    member.told = (feed.head as Position).offset;
    const list = lists.get(member.recipient);
    if (list === undefined) lists.set(member.recipient, { site: feed.site, entries: [entry] });
    else list.entries.push(entry);
  }

  close(): void {
    clearInterval(this.#timer);
    this.flush();
    this.#feeds.clear();
  }
}

/** A topic as clients know it: of a personal one, whose name holds a hash of its owner, only the kind. */
export function topicAsShown(topic: string): string {
  return isReservedTopic(topic) ? (topic.split(":", 1)[0] as string) : topic;
}

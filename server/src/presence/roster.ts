import { BellwireError, isReservedTopic, parseSite, parseTopic } from "@bellwire/protocol";
import { Rotation } from "../pacing/rotation.js";
import { RawJson } from "../wire/raw-json.js";
import { Frames } from "../wire/wire.js";
import { feedName } from "../stores/log.js";
import type { Connection, Subscription } from "../connection/connection.js";
import type { SubscriptionObserver } from "../connection/observers.js";
import type { Metrics } from "../observe/metrics.js";
import { Departures } from "../pacing/departures.js";
import { KeyedQueue } from "../pacing/keyed-queue.js";
import { Listings } from "./listings.js";
import { LocalTopic, reaches, type LocalMember } from "./local-topic.js";
import { MAX_LISTED, PRESENCE_GRACE_MS, type PresenceStore } from "../stores/presence.js";
import { changeText, infoText, toPresent, type Present, type PresenceMode } from "./presence-text.js";

/** Milliseconds. */
export interface PresenceTiming {
  /** How long whoever left counts as present: a page that is loaded anew, or a client on its way to another relay, does not flicker. */
  readonly grace: number;
  /** How long joins and leaves of a topic are gathered before they are written. */
  readonly gather: number;
  /** Least time between two `presence` events of a topic; longer where many hear them. */
  readonly tell: number;
  /** How often each topic is compared with the store where nothing calls for it. */
  readonly compare: number;
}

export interface PresenceOptions {
  readonly store: PresenceStore;
  /** Which topics have presence; asked each time. */
  readonly allowed: (topic: string, site: string) => false | PresenceMode;
  /** What others see of a user; default: the info of the connection's permit. */
  readonly infoOf?: (connection: Connection, subscription: Subscription) => unknown;
  readonly timing?: Partial<PresenceTiming> | undefined;
  readonly onTrouble: (error: unknown) => void;
  readonly metrics?: Metrics | undefined;
}

const TIMING: PresenceTiming = { grace: PRESENCE_GRACE_MS, gather: 20, tell: 100, compare: 30_000 };
const TICK_MS = 1000;
// Members written in one call of the script, which nobody else's commands can interrupt.
const WRITE_BATCH = 200;
const AT_ONCE = 50;
// `presence` frames that one topic may cost a relay each millisecond: with 10,000 who hear them, one change every 2 s.
const FRAMES_PER_MS = 5;
const LIST_MS = 1000;

/**
 * Who is present on this relay's topics, and with the store on all relays'. A join or leave costs the same however many are
 * there: it is written once for each user and relay, and told as a change, to all connections subscribed there, several
 * changes at once.
 */
export class PresenceRoster implements SubscriptionObserver {
  readonly #options: PresenceOptions;
  readonly #store: PresenceStore;
  readonly #timing: PresenceTiming;
  readonly #topics = new Map<string, LocalTopic>();
  readonly #departures: Departures<LocalMember>;
  readonly #writing: KeyedQueue<LocalTopic>;
  readonly #reading: KeyedQueue<LocalTopic>;
  readonly #sweeping: KeyedQueue<LocalTopic>;
  readonly #listings = new Listings<Present>(({ users }) => users.length);
  /** With something to be written, and with something that could not be. */
  readonly #gathering = new Set<LocalTopic>();
  readonly #failed = new Set<LocalTopic>();
  readonly #compared: Rotation<LocalTopic>;
  readonly #tick: NodeJS.Timeout;
  #gather: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#timing = { ...TIMING, ...options.timing };
    this.#departures = new Departures(this.#timing.grace, (member) => this.#departed(member));
    this.#writing = new KeyedQueue((topic) => this.#write(topic), AT_ONCE, ofSite);
    this.#reading = new KeyedQueue((topic) => this.#read(topic), AT_ONCE, ofSite);
    this.#sweeping = new KeyedQueue((topic) => this.#store.sweep(topic.site, topic.topic), AT_ONCE, ofSite);
    this.#compared = new Rotation(() => this.#topics.values(), Math.max(1, this.#timing.compare / TICK_MS));
    this.#tick = setInterval(() => this.#look(), TICK_MS);
    this.#tick.unref();
    this.#store.start({
      changed: (site, topic) => this.#changed(this.#topics.get(feedName(site, topic))),
      relaysGone: () => this.#sweep(this.#topics.values()),
      lost: () => this.#doubtAll(),
    });
    options.metrics?.gauge("presence_topics", "Topics that somebody is present on through this relay", () => this.size);
    options.metrics?.gauge("presence_unwritten", "Of them, those whose changes could not be written yet", () => this.#failed.size);
  }

  /** Topics that somebody is present on through this relay. */
  get size(): number {
    return this.#topics.size;
  }

  // SubscriptionObserver

  made(connection: Connection, subscription: Subscription): void {
    const { topic: name } = subscription;
    const mode = isReservedTopic(name) ? false : this.#options.allowed(name, connection.site);
    if (mode === false || this.#closed) return;
    const topic = this.#open(connection.site, name, mode);
    const subscriptions = topic.connections.get(connection) ?? 0;
    topic.connections.set(connection, subscriptions + 1);
    if (subscriptions > 0) return;
    const { infoOf = ({ permit }: Connection): unknown => permit.info } = this.#options;
    const info = mode === "list" && connection.user !== "" ? infoText(infoOf(connection, subscription)) : "";
    const key = memberOf(connection);
    let member = topic.members.get(key);
    const fresh = member === undefined;
    if (member === undefined) topic.members.set(key, (member = { topic, member: key, sockets: 0, info }));
    this.#departures.back(member);
    member.sockets++;
    if (!fresh && member.info === info) return;
    member.info = info;
    this.#tellStore(topic, key, info);
  }

  ended(connection: Connection, { topic: name }: Subscription): void {
    const topic = this.#topics.get(feedName(connection.site, name));
    const subscriptions = topic?.connections.get(connection);
    if (topic === undefined || subscriptions === undefined) return;
    if (subscriptions > 1) {
      topic.connections.set(connection, subscriptions - 1);
      return;
    }
    topic.connections.delete(connection);
    const member = topic.members.get(memberOf(connection));
    if (member !== undefined && --member.sockets === 0) this.#departures.leave(member);
  }

  #departed({ topic, member }: LocalMember): void {
    topic.members.delete(member);
    this.#tellStore(topic, member, null);
  }

  #open(site: string, name: string, mode: PresenceMode): LocalTopic {
    const key = feedName(site, name);
    let topic = this.#topics.get(key);
    if (topic === undefined) {
      topic = new LocalTopic(site, name, mode);
      this.#topics.set(key, topic);
      this.#store.listen(site, name);
    }
    return topic;
  }

  // To the store

  #tellStore(topic: LocalTopic, member: string, info: string | null): void {
    topic.untold.set(member, info);
    this.#gathering.add(topic);
    this.#gather ??= setTimeout(() => {
      this.#gather = undefined;
      for (const gathered of this.#gathering) void this.#writing.add(gathered).catch(() => undefined);
      this.#gathering.clear();
    }, this.#timing.gather);
  }

  async #write(topic: LocalTopic): Promise<void> {
    const { site, topic: name } = topic;
    topic.writes++;
    try {
      if (topic.doubtful) {
        topic.compare(await this.#store.own(site, name));
        topic.doubtful = false;
      }
      while (topic.untold.size > 0) await this.#writeSome(topic);
    } catch (error) {
      this.#failed.add(topic);
      this.#options.onTrouble(error);
      throw error;
    } finally {
      topic.writes++;
      this.#closeIdle(topic);
    }
  }

  async #writeSome(topic: LocalTopic): Promise<void> {
    const changes = topic.take(WRITE_BATCH);
    try {
      const { before, after } = await this.#store.apply(topic.site, topic.topic, changes);
      const first = topic.told === undefined;
      topic.told ??= before; // whoever is there already hears of the first ones too
      topic.written = after;
      if (first || before.offset !== after.offset) this.#changed(topic);
    } catch (error) {
      topic.giveBack(changes);
      throw error;
    }
  }

  #closeIdle(topic: LocalTopic): void {
    const key = feedName(topic.site, topic.topic);
    if (!topic.idle || this.#topics.get(key) !== topic) return;
    clearTimeout(topic.timer);
    this.#topics.delete(key);
    this.#failed.delete(topic);
    this.#store.unlisten(topic.site, topic.topic);
  }

  #doubtAll(): void {
    for (const topic of this.#topics.values()) {
      topic.doubtful = true;
      void this.#writing.add(topic).then(
        () => this.#changed(topic),
        () => undefined, // tried again by the clock
      );
    }
  }

  // To clients

  #changed(topic: LocalTopic | undefined): void {
    // Before the first write there is no position to go on from.
    if (topic?.told === undefined || topic.timer !== undefined || this.#closed) return;
    const wait = Math.max(this.#timing.tell, topic.connections.size / FRAMES_PER_MS);
    const due = topic.toldAt + wait - performance.now();
    topic.timer = setTimeout(
      () => {
        topic.timer = undefined;
        void this.#reading.add(topic).catch(this.#options.onTrouble); // read again by the clock
      },
      Math.max(1, due),
    );
  }

  async #read(topic: LocalTopic): Promise<void> {
    const { site, topic: name, writes } = topic;
    topic.toldAt = performance.now();
    const { head, count, own, changes } = await this.#store.changes(site, name, topic.told);
    if (this.#topics.get(feedName(site, name)) !== topic) return;
    const settled = topic.writes === writes && writes % 2 === 0 && topic.untold.size === 0;
    if (settled && own !== topic.members.size) {
      topic.doubtful = true;
      void this.#writing.add(topic).catch(() => undefined); // tried again by the clock
    }
    if (head === undefined || (head.epoch === topic.told?.epoch && head.offset === topic.told.offset)) return;
    topic.told = head;
    topic.listed = undefined;
    this.#push(topic, changeText(topic.mode, changes, count), count, changes?.length === 0 || topic.mode === "count");
  }

  /** @param countOnly nothing but the count has changed, if that */
  #push(topic: LocalTopic, text: string, count: number, countOnly: boolean): void {
    if (countOnly && count === topic.toldCount) return;
    topic.toldCount = count;
    if (topic.connections.size === 0) return;
    const args = [topic.topic, new RawJson(text)];
    const frames = new Frames((codec) => codec.event(topic.site, "presence", args));
    for (const connection of topic.connections.keys()) connection.send(frames.for(connection.codec));
  }

  /**
   * Answers a client's `presence`: who is there, the asker included, or how many where only that is allowed.
   * Rejects with `bad-request`, `forbidden` (no presence there, or no subscription of this connection) or `unavailable`.
   */
  async ask(connection: Connection, value: unknown): Promise<Present> {
    const name = parseTopic(value);
    const topic = this.#topics.get(feedName(connection.site, name));
    if (topic?.connections.has(connection) !== true) {
      throw new BellwireError("forbidden", "Presence is for subscribers of topics that have presence");
    }
    if (topic.untold.size > 0 || topic.writes % 2 === 1) await this.#writing.add(topic);
    const { listed } = topic;
    const fresh = listed !== undefined && performance.now() - listed.at < LIST_MS;
    if (fresh && reaches(listed.position, topic.told) && reaches(listed.position, topic.written)) return listed.present;
    return this.#list(topic.site, name, topic.mode);
  }

  /** Who is present on a topic, for the server API. Rejects with `bad-request`, `forbidden` (no presence there) or `unavailable`. */
  async list(site: string, value: unknown): Promise<Present> {
    const topic = parseTopic(value);
    const parsedSite = parseSite(site);
    const mode = this.#options.allowed(topic, parsedSite);
    if (mode === false) throw new BellwireError("forbidden", `The topic ${topic} has no presence: its rule needs \`presence: true\``);
    return this.#list(parsedSite, topic, mode);
  }

  #list(site: string, topic: string, mode: PresenceMode): Promise<Present> {
    const name = feedName(site, topic);
    return this.#listings.read(name, async () => {
      const snapshot = await this.#store.snapshot(site, topic, mode === "list");
      const present = mode === "list" ? toPresent(snapshot, MAX_LISTED) : { users: [], count: snapshot.count };
      const local = this.#topics.get(name);
      if (local !== undefined && snapshot.position !== undefined) {
        local.listed = { present, position: snapshot.position, at: performance.now() };
      }
      return present;
    });
  }

  // The clock

  #look(): void {
    if (!this.#store.reachable) return;
    for (const topic of this.#failed) void this.#writing.add(topic).catch(() => undefined);
    this.#failed.clear();
    const due = this.#compared.next().filter((topic) => this.#topics.get(feedName(topic.site, topic.topic)) === topic);
    for (const topic of due) {
      topic.listed = undefined; // may be long, and is seldom wanted
      this.#changed(topic);
    }
    this.#sweep(due);
  }

  #sweep(topics: Iterable<LocalTopic>): void {
    for (const topic of topics) void this.#sweeping.add(topic).catch(this.#options.onTrouble); // swept again by the clock
  }

  /** What this relay holds stays for as long as its lease: whoever moves to another relay meanwhile does not flicker. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#tick);
    clearTimeout(this.#gather);
    this.#departures.stop();
    for (const queue of [this.#writing, this.#reading, this.#sweeping]) queue.clear();
    for (const topic of this.#topics.values()) clearTimeout(topic.timer);
    this.#topics.clear();
    this.#store.close();
  }
}

function ofSite({ site }: LocalTopic): string {
  return site;
}

/** A user counts once over all tabs and relays, the anonymous once for each session, or without one for each page. */
function memberOf({ user, session, client }: Connection): string {
  if (user !== "") return `u${user}`;
  return session === "" ? `c${client}` : `s${session}`;
}

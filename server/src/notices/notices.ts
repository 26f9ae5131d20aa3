import { randomUUID } from "node:crypto";
import { BellwireError, filterObject, topicMatches } from "@bellwire/protocol";
import type { NoticeEvent, NoticeSettings } from "../hooks/settings.js";
import type { Connection, Subscription } from "../connection/connection.js";
import type { ConnectionObserver, SubscriptionObserver } from "../connection/observers.js";
import { connectionNotice, placeNotice, type Notice, type NoticeBody, type Party, type Place } from "./notice.js";
import type { Metrics } from "../observe/metrics.js";
import type { Legacy, NoticeStore } from "../stores/notices.js";
import { Occupancy } from "./occupancy.js";
import { MOST_WAITING, Outbox, type OutboxOptions, type OutboxTiming } from "./outbox.js";

export interface NoticesOptions {
  readonly settings: Pick<NoticeSettings, "events" | "topics" | "filters">;
  /** Posts a body to the backend; rejects where that was not taken. */
  readonly deliver: (body: NoticeBody) => Promise<void>;
  readonly store: NoticeStore;
  /** The store can't be reached. */
  readonly onTrouble: (error: unknown) => void;
  /** The backend did not take a body. */
  readonly onUndelivered: (error: unknown) => void;
  readonly onDropped?: OutboxOptions["onDropped"];
  readonly timing?: Partial<NoticeTiming> | undefined;
  readonly metrics?: Metrics | undefined;
}

/** Milliseconds. */
export interface NoticeTiming extends Partial<OutboxTiming> {
  /** How long a topic counts as occupied after its last subscription on a relay ended. */
  readonly grace: number;
  /** How long a relay that ends waits for its last notices to be taken; another one tells what is left. */
  readonly leave: number;
}

const TIMING: NoticeTiming = { grace: 3000, leave: 3000 };
// The store forgets what nobody has repeated for a day.
const REPEAT_MS = 60 * 60 * 1000;

/**
 * Tells the backend who is connected and which topics anybody listens to. At least once: a notice may come again, with the same
 * id, where its answer was lost or its relay ended; after an outage of Redis, or where a relay was silent for so long that it was
 * taken for gone, `occupied` and `connected` are told anew, with ids of their own. What happened in the last 20 ms before a
 * relay was killed may not be told: of a connection that short nobody knows.
 */
export class Notices implements ConnectionObserver, SubscriptionObserver {
  readonly #options: NoticesOptions;
  readonly #timing: NoticeTiming;
  readonly #events: ReadonlySet<NoticeEvent>;
  readonly #parties = new Map<Connection, Party>();
  readonly #outbox: Outbox;
  readonly #occupancy: Occupancy;
  readonly #repeat: NodeJS.Timeout;

  constructor(options: NoticesOptions) {
    const { settings, deliver, store, onTrouble, timing } = options;
    this.#options = options;
    this.#timing = { ...TIMING, ...timing };
    this.#events = new Set(settings.events);
    this.#outbox = new Outbox({
      deliver,
      onSettled: (notices) => {
        for (const { id } of notices) store.deleteNotice(id);
      },
      onTrouble: options.onUndelivered,
      onDropped: options.onDropped,
      timing,
      metrics: options.metrics,
    });
    this.#occupancy = new Occupancy({
      store,
      grace: this.#timing.grace,
      onTurn: (event, place, time) => this.#turned(event, place, time),
      onTrouble,
    });
    this.#repeat = setInterval(() => this.#occupancy.doubt(), REPEAT_MS);
    this.#repeat.unref();
    store.start({ lost: (taken) => this.#lost(taken), inherit: (legacy) => this.#inherit(legacy) });
  }

  /** Notices that wait to be told. */
  get waiting(): number {
    return this.#outbox.waiting;
  }

  /** Notices that were told. */
  get told(): number {
    return this.#outbox.told;
  }

  /** Notices that were given up, or dropped because too many waited. */
  get dropped(): number {
    return this.#outbox.dropped;
  }

  /** Notices in whose place something newer of the same topic was told. */
  get coalesced(): number {
    return this.#outbox.coalesced;
  }

  // ConnectionObserver

  opened(connection: Connection): void {
    if (!this.#events.has("connected") && !this.#events.has("disconnected")) return;
    const { site, user, session, client, id } = connection;
    const party = { site, user, session, client, connection: id, times: 1 };
    this.#parties.set(connection, party);
    if (this.#events.has("connected")) this.#add(connectionNotice("connected", party));
    if (this.#events.has("disconnected")) this.#options.store.setParty(party);
  }

  gone(connection: Connection, reason: string): void {
    const party = this.#parties.get(connection);
    if (!this.#parties.delete(connection) || party === undefined || !this.#events.has("disconnected")) return;
    this.#add(connectionNotice("disconnected", party, reason));
    this.#options.store.deleteParty(party.connection);
  }

  // SubscriptionObserver

  made(connection: Connection, subscription: Subscription): void {
    const place = this.#placeOf(connection, subscription);
    if (place !== undefined) this.#occupancy.made(place);
  }

  ended(connection: Connection, subscription: Subscription): void {
    const place = this.#placeOf(connection, subscription);
    if (place !== undefined) this.#occupancy.ended(place);
  }

  #placeOf({ site }: Connection, { topic, filter }: Subscription): Place | undefined {
    if (!this.#events.has("occupied") && !this.#events.has("vacated")) return undefined;
    const { topics, filters } = this.#options.settings;
    // No pattern covers personal topics.
    if (!topics.some((pattern) => topicMatches(pattern, topic))) return undefined;
    return { site, topic, filter: filters ? filterObject(filter) : undefined };
  }

  #turned(event: "occupied" | "vacated", place: Place, time: number): void {
    if (this.#events.has(event)) this.#add(placeNotice(event, place, randomUUID(), time));
  }

  #add(notice: Notice): void {
    this.#options.store.setNotice(notice);
    this.#outbox.add(notice);
  }

  // NoticeStoreListener

  #lost(taken: boolean): void {
    const { store } = this.#options;
    for (const [connection, before] of this.#parties) {
      const party = taken ? { ...before, times: before.times + 1 } : before;
      this.#parties.set(connection, party);
      if (this.#events.has("disconnected")) store.setParty(party);
      if (taken && this.#events.has("connected")) this.#add(connectionNotice("connected", party, "relay-restored"));
    }
    for (const notice of this.#outbox.notices()) store.setNotice(notice);
    this.#occupancy.doubt();
  }

  #inherit({ parties, notices, places }: Legacy): string[] {
    // What is taken on must not push out what waits already.
    if (this.#outbox.waiting > MOST_WAITING / 2) throw new BellwireError("unavailable", "Too many notices wait already");
    const inherited = [...notices];
    if (this.#events.has("disconnected")) {
      for (const party of parties) inherited.push(connectionNotice("disconnected", party, "relay-lost"));
    }
    if (this.#events.has("vacated")) {
      for (const place of places) inherited.push(placeNotice("vacated", place, randomUUID(), Date.now()));
    }
    for (const notice of inherited) this.#add(notice);
    return inherited.map(({ id }) => id);
  }

  /** Tells what there is to tell, for a few seconds at most. To be called when all connections are gone, and before the lease ends. */
  async close(): Promise<void> {
    clearInterval(this.#repeat);
    await this.#outbox.close(this.#timing.leave);
    this.#occupancy.stop();
    await this.#options.store.close();
  }

  /** Ends without a word, as a relay that is killed does. */
  stop(): void {
    clearInterval(this.#repeat);
    this.#outbox.stop();
    this.#occupancy.stop();
  }
}

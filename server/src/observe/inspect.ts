import { BellwireError, filterObject, isReservedTopic, type Filter, type Position } from "@bellwire/protocol";
import type { Connection, Subscription } from "../connection/connection.js";
import type { ConnectionObserver, SubscriptionObserver } from "../connection/observers.js";
import type { Feed } from "../feed/feed.js";
import { topicAsShown, type Feeds } from "../feed/feeds.js";
import { Journal, type Happening } from "./journal.js";

/** Which part of a list is wanted. */
export interface PageQuery {
  /** `next` of the page before; default: from the beginning. */
  readonly after?: string | undefined;
  /** Items of the page, 1 to 1,000; default 100. */
  readonly limit?: number | undefined;
  /** Of one site alone. */
  readonly site?: string | undefined;
}

/** One page of a list, in the order in which its items came. What comes or goes meanwhile moves nothing that stays. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page begins; undefined where there is none. */
  readonly next: string | undefined;
}

/** One open connection. */
export interface ConnectionView {
  /** Another one after each reconnect. */
  readonly id: string;
  readonly site: string;
  readonly user: string | null;
  readonly session: string | null;
  /** The page load. */
  readonly client: string;
  /** Epoch seconds. */
  readonly openedAt: number;
  /** When it ends unless it is prolonged, epoch seconds; null: never. */
  readonly until: number | null;
  /** Those to its user's and session's personal topics among them. */
  readonly subscriptions: number;
}

/** One open subscription. */
export interface SubscriptionView {
  readonly id: string;
  readonly topic: string;
  readonly filter: Filter;
  /** The server made it. */
  readonly held: boolean;
  /** Epoch seconds; null: as long as the connection. */
  readonly until: number | null;
}

/** What is known of a connection, open or gone. */
export interface ConnectionStory {
  /** Undefined where it is gone. */
  readonly connection: ConnectionView | undefined;
  /** At most 100 of them; `connection.subscriptions` counts all. */
  readonly subscriptions: readonly SubscriptionView[];
  /** The newest 50, the oldest first. */
  readonly happenings: readonly Happening[];
}

export interface SiteView {
  readonly site: string;
  readonly connections: number;
  /** Without the personal topics that everybody has. */
  readonly subscriptions: number;
}

/** A topic that this relay listens to; personal ones are left out. */
export interface TopicView {
  readonly site: string;
  readonly topic: string;
  /** Connections on this relay with a subscription there. */
  readonly audience: number;
  /** Messages per second over the last minute, or as far back as the relay remembers. */
  readonly rate: number;
  /** The newest position that is known; undefined before the log was first read. */
  readonly head: Position | undefined;
  /** False while messages may have been missed and are looked for. */
  readonly live: boolean;
  /** Messages in memory. */
  readonly cached: number;
}

/** Something with a place in the order in which things came. */
interface Numbered {
  readonly number: number;
}

interface Site extends Numbered {
  readonly site: string;
  connections: number;
  subscriptions: number;
}

const PAGE = { byDefault: 100, most: 1000 } as const;
const MOST_SUBSCRIPTIONS = 100;
const MOST_HAPPENINGS = 50;
const RATE_MS = 60_000;

export interface InspectorOptions {
  readonly connections: ReadonlySet<Connection>;
  readonly feeds: Pick<Feeds, "open" | "now">;
  readonly journal?: Journal;
}

/**
 * What is open on one relay, for whoever looks at it: pages, never everything. A page costs a walk over what comes before it,
 * a millisecond for 50,000 connections, and nothing is copied but what it shows.
 */
export class Inspector implements ConnectionObserver, SubscriptionObserver {
  readonly #options: InspectorOptions;
  readonly #journal: Journal;
  readonly #sites = new Map<string, Site>();
  #number = 0;

  constructor(options: InspectorOptions) {
    this.#options = options;
    this.#journal = options.journal ?? new Journal();
  }

  /** @throws BellwireError `bad-request` for a page that can't be */
  connections(query: PageQuery & { readonly user?: string | undefined } = {}): Page<ConnectionView> {
    const { site, user } = query;
    const wanted = (one: Connection): boolean => (site === undefined || one.site === site) && (user === undefined || one.user === user);
    return pageOf(this.#options.connections, query, wanted, viewOf);
  }

  /** Undefined where nothing is known under this id, or no longer. */
  connection(id: string): ConnectionStory | undefined {
    let open: Connection | undefined;
    for (const one of this.#options.connections) {
      if (one.id !== id) continue;
      open = one;
      break;
    }
    const happenings = this.#journal.of(id, MOST_HAPPENINGS);
    if (open === undefined && happenings.length === 0) return undefined;
    const subscriptions: SubscriptionView[] = [];
    for (const subscription of open?.subscriptions.values() ?? []) {
      if (subscriptions.length === MOST_SUBSCRIPTIONS) break;
      subscriptions.push(subscriptionViewOf(subscription));
    }
    return { connection: open === undefined ? undefined : viewOf(open), subscriptions, happenings };
  }

  /** Sites with a connection. @throws BellwireError `bad-request` */
  sites(query: PageQuery = {}): Page<SiteView> {
    const wanted = ({ site }: Site): boolean => query.site === undefined || site === query.site;
    return pageOf(this.#sites.values(), query, wanted, ({ site, connections, subscriptions }) => ({ site, connections, subscriptions }));
  }

  /** @throws BellwireError `bad-request` */
  topics(query: PageQuery = {}): Page<TopicView> {
    const { feeds } = this.#options;
    const { site } = query;
    const now = feeds.now();
    const wanted = (feed: Feed): boolean => (site === undefined || feed.site === site) && !isReservedTopic(feed.topic);
    return pageOf(feeds.open(), query, wanted, (feed) => topicViewOf(feed, now));
  }

  // ConnectionObserver

  opened(connection: Connection): void {
    const { site } = connection;
    let known = this.#sites.get(site);
    if (known === undefined) this.#sites.set(site, (known = { site, number: ++this.#number, connections: 0, subscriptions: 0 }));
    known.connections++;
    this.#note(connection, "opened");
  }

  gone(connection: Connection): void {
    const known = this.#sites.get(connection.site);
    if (known !== undefined && --known.connections === 0) this.#sites.delete(connection.site);
    const { farewell } = connection;
    this.#note(connection, "closed", farewell === undefined ? {} : { code: farewell.code });
  }

  // SubscriptionObserver

  made(connection: Connection, { topic }: Subscription): void {
    this.#moved(connection, topic, 1);
    this.#note(connection, "subscribed", { topic: topicAsShown(topic) });
  }

  ended(connection: Connection, { topic }: Subscription): void {
    this.#moved(connection, topic, -1);
    // With its connection all of them end: that is one happening.
    if (!connection.closed) this.#note(connection, "unsubscribed", { topic: topicAsShown(topic) });
  }

  #moved({ site }: Connection, topic: string, by: 1 | -1): void {
    const known = this.#sites.get(site);
    if (known !== undefined && !isReservedTopic(topic)) known.subscriptions += by;
  }

  #note({ id }: Connection, event: Happening["event"], more: Pick<Happening, "topic" | "code"> = {}): void {
    this.#journal.add({ time: Date.now(), connection: id, event, ...more });
  }
}

/** @param all in the order of their numbers */
function pageOf<T extends Numbered, View>(
  all: Iterable<T>,
  query: PageQuery,
  wanted: (one: T) => boolean,
  view: (one: T) => View,
): Page<View> {
  const { after, limit } = read(query);
  const items: View[] = [];
  let last = after;
  for (const one of all) {
    if (one.number <= after || !wanted(one)) continue;
    if (items.length === limit) return { items, next: String(last) };
    items.push(view(one));
    last = one.number;
  }
  return { items, next: undefined };
}

function read({ after = "0", limit = PAGE.byDefault }: PageQuery): { after: number; limit: number } {
  if (!/^\d{1,15}$/.test(after)) throw new BellwireError("bad-request", "after is the `next` of another page; leave it out to begin");
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE.most)
    throw new BellwireError("bad-request", `limit is a whole number from 1 to ${PAGE.most}`);
  return { after: Number(after), limit };
}

function viewOf({ id, site, user, session, client, openedAt, permit, subscriptions }: Connection): ConnectionView {
  return {
    id,
    site,
    user: user === "" ? null : user,
    session: session === "" ? null : session,
    client,
    openedAt,
    until: permit.until ?? null,
    subscriptions: subscriptions.size,
  };
}

function subscriptionViewOf({ id, topic, filter, held, proof }: Subscription): SubscriptionView {
  return { id, topic: topicAsShown(topic), filter: filterObject(filter), held, until: proof.until ?? null };
}

function topicViewOf({ site, topic, members, ring, head, live }: Feed, now: number): TopicView {
  const recent = ring.countAfter(now - RATE_MS);
  // A busy topic's minute does not fit into memory: what there is of it counts.
  const span = recent < ring.size || ring.whole ? RATE_MS : now - (ring.first?.time ?? now);
  return { site, topic, audience: members.size, rate: recent / (Math.max(1000, span) / 1000), head, live, cached: ring.size };
}

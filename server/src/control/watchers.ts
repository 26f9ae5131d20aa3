import { filtersOverlap, roomsOf, type ParsedFilter, type Scalar } from "@bellwire/protocol";
import type { Feed } from "../feed/feed.js";
import { feedName } from "../stores/log.js";
import type { WatchQuestion } from "../stores/watch-question.js";
import type { Connection, Subscription } from "../connection/connection.js";
import type { SubscriptionObserver } from "../connection/observers.js";

/** Who subscribes what on this relay. Keeps nothing of a subscription: it looks into the feeds that are there for them anyway. */
export class Watchers implements SubscriptionObserver {
  readonly #feeds = new Map<string, Feed>();

  made(_connection: Connection, { feed }: Subscription): void {
    this.#feeds.set(feed.name, feed);
  }

  ended(_connection: Connection, { feed }: Subscription): void {
    if (feed.members.size === 0 && this.#feeds.get(feed.name) === feed) this.#feeds.delete(feed.name);
  }

  /** Could a message of this topic that matches the filter match a subscription too? */
  watches({ site, topic, filter }: WatchQuestion): boolean {
    const feed = this.#feeds.get(feedName(site, topic));
    if (feed === undefined) return false;
    // Somebody is just about to be there.
    if (feed.claims > 0) return true;
    const open = new Set<string>();
    for (const { shape, has } of feed.rooms.shapes()) {
      const pinned = restrict(filter, shape.keys);
      if (pinned === undefined) open.add(JSON.stringify(shape.keys));
      else if (roomsOf(shape, pinned).some((name) => has(name))) return true;
    }
    return open.size > 0 && someOverlap(feed, filter, open);
  }
}

/** The part of a filter that pins these keys; undefined where it leaves one of them open. */
function restrict(filter: ParsedFilter, keys: readonly string[]): ParsedFilter | undefined {
  const values: (readonly Scalar[])[] = [];
  for (const key of keys) {
    const at = filter.keys.indexOf(key);
    if (at < 0) return undefined;
    values.push(filter.values[at] as readonly Scalar[]);
  }
  return { canonical: "", keys, values };
}

/** @param shapes of the subscriptions that are looked at */
function someOverlap(feed: Feed, filter: ParsedFilter, shapes: ReadonlySet<string>): boolean {
  for (const recipient of feed.members.keys()) {
    for (const subscription of (recipient as Connection).subscriptions.values()) {
      if (subscription.feed !== feed || !shapes.has(JSON.stringify(subscription.filter.keys))) continue;
      if (filtersOverlap(subscription.filter, filter)) return true;
    }
  }
  return false;
}

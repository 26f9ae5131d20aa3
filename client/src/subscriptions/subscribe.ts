import { BellwireError, parseFilter, parseTopic, type ParsedFilter } from "@bellwire/protocol";
import type { Callback, Client, Subscribe, SubscribeOptions } from "../api.js";
import type { Report } from "../invoke.js";
import type { Registry } from "./registry.js";
import { Subscriber, type SubscriberParts } from "./subscriber.js";
import { WireSubscription } from "./wire-subscription.js";

export interface SubscribeParts extends Pick<SubscriberParts, "lost"> {
  readonly registry: Registry;
  readonly report: Report;
  /** False: nothing is ever sent, so nothing is kept. */
  readonly reachable: boolean;
  /** Something is to be sent at the end of this tick. */
  schedule(): void;
}

/** The application's side of subscriptions: many handles, by id, on the registry's wire subscriptions. */
export function createSubscribe(parts: SubscribeParts): Pick<Client, "subscribe" | "unsubscribe"> {
  const { registry, report, reachable, lost, schedule } = parts;
  const byId = new Map<string, Subscriber>();
  let ids = 0;

  const of: SubscriberParts = {
    report,
    lost,
    leave(subscriber) {
      byId.delete(subscriber.id);
      registry.leave(subscriber);
    },
    seat: (subscriber) => registry.seat(subscriber),
  };

  const subscribe: Subscribe = (topic: string, ...rest: readonly unknown[]) => {
    const [filter, callback, options] = typeof rest[0] === "function" ? [undefined, ...rest] : rest;
    if (typeof callback !== "function") {
      throw new BellwireError("bad-request", "subscribe takes a topic, a filter if you like, and a callback");
    }
    const name = parseTopic(topic);
    const parsed = parseFilterOf(name, filter);
    const subscriber = new Subscriber(`${++ids}`, name, callback as Callback, (options ?? {}) as SubscribeOptions, of);
    if (!reachable) {
      const nowhere = new WireSubscription("", name, parsed, Math.random);
      subscriber.join(nowhere, undefined);
      nowhere.hearers.clear();
      return subscriber;
    }
    const wire = registry.join(subscriber, parsed);
    byId.set(subscriber.id, subscriber);
    // One that is confirmed already confirms this one too, and tells it what it saw last. Not before the caller has the handle. One
    // that isn't may turn out to be for another user: it tells when it is.
    setTimeout(() => {
      if (wire.status !== "subscribed") return;
      subscriber.confirm();
      subscriber.catchUp();
    }, 0);
    schedule();
    return subscriber;
  };

  return {
    subscribe,
    unsubscribe(subscription) {
      const id = typeof subscription === "string" ? subscription : subscription.id;
      byId.get(id)?.unsubscribe();
    },
  };
}

/** @throws BellwireError that names the topic: a page has many subscriptions. */
function parseFilterOf(topic: string, filter: unknown): ParsedFilter {
  try {
    return parseFilter(filter);
  } catch (error) {
    throw error instanceof BellwireError ? new BellwireError(error.code, `The filter of "${topic}": ${error.message}`) : error;
  }
}

import { BellwireError, parseFilter, parseTopic } from "@bellwire/protocol";
import type { Callback, Client, Subscribe, SubscribeOptions } from "../api.js";
import type { Report } from "../invoke.js";
import type { Registry } from "./registry.js";
import { Subscriber } from "./subscriber.js";
import { WireSubscription } from "./wire-subscription.js";

export interface SubscribeParts {
  readonly registry: Registry;
  readonly report: Report;
  /** False: nothing is ever sent, so nothing is kept. */
  readonly reachable: boolean;
  /** Something is to be sent at the end of this tick. */
  schedule(): void;
}

/** The application's side of subscriptions: many handles, by id, on the registry's wire subscriptions. */
export function createSubscribe(parts: SubscribeParts): Pick<Client, "subscribe" | "unsubscribe"> {
  const { registry, report, reachable, schedule } = parts;
  const byId = new Map<string, Subscriber>();
  let ids = 0;

  const leave = (subscriber: Subscriber): void => {
    byId.delete(subscriber.id);
    registry.leave(subscriber);
  };

  const subscribe: Subscribe = (topic: string, ...rest: readonly unknown[]) => {
    const [filter, callback, options] = typeof rest[0] === "function" ? [undefined, ...rest] : rest;
    if (typeof callback !== "function") {
      throw new BellwireError("bad-request", "subscribe takes a topic, a filter if you like, and a callback");
    }
    const name = parseTopic(topic);
    const parsed = parseFilter(filter);
    const wire = reachable ? registry.open(name, parsed) : new WireSubscription("", name, parsed, Math.random);
    const subscriber = new Subscriber(`${++ids}`, wire, callback as Callback, (options ?? {}) as SubscribeOptions, report, leave);
    if (!reachable) return subscriber;
    byId.set(subscriber.id, subscriber);
    wire.hearers.add(subscriber);
    // One that is confirmed already confirms this one too, and tells it what it saw last. Not before the caller has the handle.
    setTimeout(() => {
      if (wire.status === "subscribed") subscriber.confirm();
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

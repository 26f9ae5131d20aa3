import type { SubscribeItem } from "@bellwire/protocol";
import type { WireSubscription } from "./wire-subscription.js";

/** A wire subscription as a `subscribe` frame carries it. */
export function toItem({ id, topic, ticket, token, since, request, replay }: WireSubscription): SubscribeItem {
  return {
    id,
    topic,
    filter: request.filter,
    ...(ticket !== undefined ? { ticket } : token !== undefined ? { token } : {}),
    ...(since !== undefined ? { since } : replay === Infinity ? {} : { replay: replay < 0 ? false : { maxAge: Math.ceil(replay) } }),
  };
}

/** What an item takes as JSON, about. Each carries the whole token, even where all have the same. */
export function itemLength(wire: WireSubscription): number {
  return requestLength(wire) + (wire.ticket ?? wire.token ?? "").length + 140;
}

/** What `{topic, filter}` takes as JSON, about. */
export function requestLength({ topic, filter }: Pick<WireSubscription, "topic" | "filter">): number {
  return topic.length + filter.canonical.length + 24;
}

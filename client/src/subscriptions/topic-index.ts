import type { WireSubscription } from "./wire-subscription.js";

/** Finds the wire subscriptions of a topic, the client's and the server's alike. */
export class TopicIndex {
  readonly #byTopic = new Map<string, Set<WireSubscription>>();

  add(wire: WireSubscription): void {
    const found = this.#byTopic.get(wire.topic);
    if (found === undefined) this.#byTopic.set(wire.topic, new Set([wire]));
    else found.add(wire);
  }

  remove(wire: WireSubscription): void {
    const found = this.#byTopic.get(wire.topic);
    if (found?.delete(wire) && found.size === 0) this.#byTopic.delete(wire.topic);
  }

  /** Those that the relay has confirmed on this connection; a copy, since callbacks subscribe and unsubscribe. */
  subscribed(topic: unknown): WireSubscription[] {
    return [...(this.#byTopic.get(topic as string) ?? [])].filter((wire) => wire.status === "subscribed");
  }
}

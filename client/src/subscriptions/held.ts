import { asObject, filterObject, isTopic, limits, parseFilter, type Auth, type JsonObject } from "@bellwire/protocol";
import type { ClientEvents } from "../api.js";
import { ClientError } from "../errors.js";
import type { TopicIndex } from "./topic-index.js";
import { WireSubscription, type Hearer } from "./wire-subscription.js";

export interface HeldParts {
  readonly topics: TopicIndex;
  readonly random: () => number;
  emit<Name extends "message" | "resync" | "subscribed" | "unsubscribed">(name: Name, event: ClientEvents[Name]): void;
}

/** The subscriptions that the server made and holds: it makes them anew on each connection, and is told where they were. */
export class Held {
  readonly #parts: HeldParts;
  readonly #byKey = new Map<string, WireSubscription>();
  readonly #hearer: Hearer;

  constructor(parts: HeldParts) {
    this.#parts = parts;
    this.#hearer = {
      replay: true,
      confirm: () => {},
      deliver: (message) => parts.emit("message", message),
      resync: (resync) => parts.emit("resync", resync),
    };
  }

  /** For `auth.since`. */
  get since(): NonNullable<Auth["since"]> {
    return [...this.#byKey.values()].flatMap(({ request, since }) => (since ? [{ ...request, ...since }] : []));
  }

  subscribed(event: JsonObject): void {
    const { id, topic } = event;
    if (typeof id !== "string" || !isTopic(topic)) return;
    const filter = parseFilter(event.filter);
    const key = topic + filter.canonical;
    let wire = this.#byKey.get(key);
    if (wire === undefined) {
      if (this.#byKey.size >= limits.grants) return;
      wire = new WireSubscription(id, topic, filter, this.#parts.random);
      wire.hearers.add(this.#hearer);
      this.#byKey.set(key, wire);
      this.#parts.topics.add(wire);
    }
    wire.id = id;
    this.#parts.emit("subscribed", { id, topic, filter: filterObject(filter) });
    wire.acked(event);
  }

  unsubscribed(event: JsonObject): void {
    for (const [key, wire] of this.#byKey) {
      if (wire.id !== event.id) continue;
      this.#remove(key, wire);
      this.#parts.emit("unsubscribed", { id: wire.id, ...wire.request, error: new ClientError(asObject(event.error)) });
    }
  }

  down(): void {
    for (const wire of this.#byKey.values()) wire.status = "wanted";
  }

  /** The next connection may be somebody else's. */
  clear(): void {
    for (const [key, wire] of this.#byKey) this.#remove(key, wire);
  }

  #remove(key: string, wire: WireSubscription): void {
    this.#byKey.delete(key);
    this.#parts.topics.remove(wire);
    wire.end();
  }
}

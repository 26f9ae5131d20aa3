import type { ParsedFilter } from "@bellwire/protocol";
import type { ClientError } from "../errors.js";
import { backgroundTimeout } from "../timers.js";
import { Subscriber } from "./subscriber.js";
import type { TopicIndex } from "./topic-index.js";
import { WireSubscription } from "./wire-subscription.js";

export interface RegistryParts {
  readonly topics: TopicIndex;
  /** Milliseconds that a wire subscription outlives its last subscriber. */
  readonly linger: number;
  readonly random: () => number;
  /** A wire subscription that the relay had confirmed has ended. */
  onRetired(id: string): void;
}

/** The client's wire subscriptions: equal (topic, filter) share one. */
export class Registry {
  readonly #parts: RegistryParts;
  readonly #byKey = new Map<string, WireSubscription>();
  readonly #byId = new Map<string, WireSubscription>();
  readonly #lingering = new Map<WireSubscription, ReturnType<typeof setTimeout>>();
  #ids = 0;

  constructor(parts: RegistryParts) {
    this.#parts = parts;
  }

  all(): WireSubscription[] {
    return [...this.#byKey.values()];
  }

  byId(id: unknown): WireSubscription | undefined {
    return this.#byId.get(id as string);
  }

  /** The wire subscription of a topic and filter, as it is or new. */
  open(topic: string, filter: ParsedFilter): WireSubscription {
    const key = topic + filter.canonical;
    let wire = this.#byKey.get(key);
    if (wire === undefined) {
      wire = new WireSubscription("", topic, filter, this.#parts.random);
      this.rename(wire);
      this.#byKey.set(key, wire);
      this.#parts.topics.add(wire);
    }
    clearTimeout(this.#lingering.get(wire));
    this.#lingering.delete(wire);
    return wire;
  }

  leave(subscriber: Subscriber): void {
    const { wire } = subscriber;
    if (wire === undefined || !wire.hearers.delete(subscriber) || wire.hearers.size > 0) return;
    const timer = backgroundTimeout(() => {
      this.#lingering.delete(wire);
      this.settle(wire);
    }, this.#parts.linger);
    this.#lingering.set(wire, timer);
  }

  /** Ends a wire subscription that nobody hears nor lingers for. One whose ack is awaited ends when that is here. */
  settle(wire: WireSubscription): void {
    if (wire.hearers.size > 0 || this.#lingering.has(wire) || wire.status === "sent") return;
    const { status, id } = wire;
    this.#remove(wire);
    if (status === "subscribed") this.#parts.onRetired(id);
  }

  /** Refused for good: it and all who hear it end. */
  fail(wire: WireSubscription, error: ClientError): void {
    this.#remove(wire);
    for (const hearer of [...wire.hearers]) if (hearer instanceof Subscriber) hearer.fail(error);
  }

  /** After a lost connection there is nothing to linger for. */
  prune(): void {
    for (const [wire, timer] of [...this.#lingering]) {
      clearTimeout(timer);
      this.#lingering.delete(wire);
      this.settle(wire);
    }
  }

  /** Gives a new id, where the relay may hold on to the old one. */
  rename(wire: WireSubscription): void {
    this.#byId.delete(wire.id);
    wire.id = `s${++this.#ids}`;
    this.#byId.set(wire.id, wire);
  }

  #remove(wire: WireSubscription): void {
    this.#byKey.delete(wire.topic + wire.filter.canonical);
    this.#byId.delete(wire.id);
    this.#parts.topics.remove(wire);
    clearTimeout(this.#lingering.get(wire));
    this.#lingering.delete(wire);
    wire.end();
  }
}

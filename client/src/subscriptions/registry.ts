import type { ParsedFilter } from "@bellwire/protocol";
import type { ClientError } from "../errors.js";
import { backgroundTimeout } from "../timers.js";
import { Heard, type Seat } from "./heard.js";
import { later } from "./order.js";
import { oldest } from "./replay.js";
import { Subscriber } from "./subscriber.js";
import type { TopicIndex } from "./topic-index.js";
import { WireSubscription } from "./wire-subscription.js";

export interface RegistryParts {
  readonly topics: TopicIndex;
  /** Milliseconds that a wire subscription outlives its last subscriber. */
  readonly linger: number;
  readonly random: () => number;
  /** What a message's `time` is as an age, in milliseconds. */
  readonly ageOf?: (time: number) => number;
  /** A wire subscription that the relay had confirmed has ended. */
  onRetired(id: string): void;
}

/**
 * The client's wire subscriptions. Equal (topic, filter) share one, but for those whom it can't tell what they have not heard yet: it
 * may have begun without a replay, after their last position, or have been told to resync.
 */
export class Registry {
  readonly #parts: RegistryParts;
  readonly #byKey = new Map<string, Set<WireSubscription>>();
  readonly #byId = new Map<string, WireSubscription>();
  readonly #lingering = new Map<WireSubscription, ReturnType<typeof setTimeout>>();
  readonly #heard = new Heard();
  #ids = 0;

  constructor(parts: RegistryParts) {
    this.#parts = parts;
  }

  all(): WireSubscription[] {
    return [...this.#byId.values()];
  }

  byId(id: unknown): WireSubscription | undefined {
    return this.#byId.get(id as string);
  }

  /** Seats a subscriber on a wire subscription, one that is there or a new one. */
  join(subscriber: Subscriber, filter: ParsedFilter): WireSubscription {
    const { topic, since } = subscriber;
    const most = oldest(subscriber.replay);
    const seat = most < 0 ? undefined : this.#take(keyOf(topic, filter), most);
    // What this page has heard since it was rendered is not told again.
    const position = since && !(seat?.position?.epoch === since.epoch && later(seat.position, since)) ? since : seat?.position;
    const takes = (wire: WireSubscription): boolean => wire.takes(position, most);
    const equal = [...(this.#byKey.get(keyOf(topic, filter)) ?? [])];
    const wire = equal.find(takes) ?? this.#open(topic, filter, equal[0]?.ticket);
    if (!equal.includes(wire)) takes(wire);
    subscriber.join(wire, position);
    this.#stay(wire);
    return wire;
  }

  /** A seat that is free for one that has heard nothing yet. */
  seat({ wire, replay }: Subscriber): Seat | undefined {
    return wire && this.#take(keyOf(wire.topic, wire.filter), oldest(replay));
  }

  leave(subscriber: Subscriber): void {
    const { wire, seat } = subscriber;
    if (wire === undefined || !wire.hearers.delete(subscriber)) return;
    if (seat !== undefined) this.#heard.free(keyOf(wire.topic, wire.filter), seat);
    if (wire.hearers.size > 0) return;
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

  /** After a lost connection there is nothing to linger for, and no ack to await. */
  prune(): void {
    for (const timer of this.#lingering.values()) clearTimeout(timer);
    this.#lingering.clear();
    for (const wire of this.all()) this.settle(wire);
  }

  /** The user is another: nothing that was heard reaches them, and those who hear on are told to fetch again. */
  forgetHeard(): void {
    this.#heard.forget();
    for (const wire of this.#byId.values()) wire.forget();
  }

  /** Gives a new id, where the relay may hold on to the old one. */
  rename(wire: WireSubscription): void {
    this.#byId.delete(wire.id);
    wire.id = `s${++this.#ids}`;
    this.#byId.set(wire.id, wire);
  }

  #take(key: string, most: number): Seat | undefined {
    return this.#heard.take(key, Date.now() - most);
  }

  #open(topic: string, filter: ParsedFilter, ticket: string | undefined): WireSubscription {
    const { topics, random, ageOf } = this.#parts;
    const wire = new WireSubscription("", topic, filter, random, ageOf);
    // It covers the same topic and filter.
    wire.ticket = ticket;
    this.rename(wire);
    const key = keyOf(topic, filter);
    this.#byKey.set(key, (this.#byKey.get(key) ?? new Set()).add(wire));
    topics.add(wire);
    return wire;
  }

  #stay(wire: WireSubscription): void {
    clearTimeout(this.#lingering.get(wire));
    this.#lingering.delete(wire);
  }

  #remove(wire: WireSubscription): void {
    const key = keyOf(wire.topic, wire.filter);
    const equal = this.#byKey.get(key);
    if (equal?.delete(wire) && equal.size === 0) this.#byKey.delete(key);
    this.#byId.delete(wire.id);
    this.#parts.topics.remove(wire);
    this.#stay(wire);
    wire.end();
  }
}

function keyOf(topic: string, filter: ParsedFilter): string {
  return topic + filter.canonical;
}

import { asObject, filterObject, isOffset, isTopic, limits, parseFilter, type Auth, type JsonObject } from "@bellwire/protocol";
import type { ClientEvents } from "../api.js";
import { ClientError } from "../errors.js";
import type { Report } from "../invoke.js";
import type { TopicIndex } from "./topic-index.js";
import { WireSubscription, type Hearer } from "./wire-subscription.js";

/** Milliseconds over which to refetch what could not be asked for by its position. */
const SPREAD = 1000;

/** Personal topics come on top of the relay's limit. */
const PERSONAL = 2;

export interface HeldParts {
  readonly topics: TopicIndex;
  readonly random: () => number;
  readonly report: Report;
  emit<Name extends "message" | "resync" | "subscribed" | "unsubscribed">(name: Name, event: ClientEvents[Name]): void;
}

/** The subscriptions that the server made and holds: it makes them anew on each connection, and is told where they were. */
export class Held {
  readonly #parts: HeldParts;
  readonly #byKey = new Map<string, WireSubscription>();
  readonly #hearer: Hearer;
  /** Whose position the relay was told in this connection's handshake. */
  #told = new Set<WireSubscription>();
  /** As the relay says: so many positions it reads, and so many subscriptions it makes, the personal ones not counted. */
  #most: number = limits.grants;
  #length = Infinity;
  #full = false;

  constructor(parts: HeldParts) {
    this.#parts = parts;
    this.#hearer = {
      replay: true,
      confirm: () => {},
      deliver: (message) => parts.emit("message", message),
      resync: (resync) => parts.emit("resync", resync),
    };
  }

  /**
   * For `auth.since`, as much as the relay reads and one frame holds: a larger one would never connect. Those left out are resynced
   * where they come back elsewhere than they were.
   */
  tell(): NonNullable<Auth["since"]> {
    this.#told = new Set();
    let length = 0;
    return [...this.#byKey.values()].flatMap((wire) => {
      const { request, since } = wire;
      if (!since || this.#told.size >= this.#most) return [];
      const item = { ...request, ...since };
      length += JSON.stringify(item).length;
      if (length > this.#length) return [];
      this.#told.add(wire);
      return [item];
    });
  }

  /** @param length what `auth.since` may take of a frame, in UTF-16 units */
  up({ limits: named }: JsonObject, length: number): void {
    const most = asObject(named)?.subscriptions;
    this.#most = isOffset(most) && most > 0 ? most : limits.grants;
    this.#length = length;
    this.#full = false;
  }

  subscribed(event: JsonObject): void {
    const { id, topic } = event;
    if (typeof id !== "string" || !isTopic(topic)) return;
    const filter = parseFilter(event.filter);
    const key = topic + filter.canonical;
    let wire = this.#byKey.get(key);
    if (wire === undefined) {
      if (this.#byKey.size >= this.#most + PERSONAL) return this.#refuse(topic);
      wire = new WireSubscription(id, topic, filter, this.#parts.random);
      wire.hearers.add(this.#hearer);
      this.#byKey.set(key, wire);
      this.#parts.topics.add(wire);
    }
    wire.id = id;
    this.#parts.emit("subscribed", { id, topic, filter: filterObject(filter) });
    wire.acked(this.#isAdrift(wire, event) ? { spread: SPREAD, ...event, resync: true } : event);
  }

  /** Whether messages may be missing: the relay began anew what had been heard up to another place. */
  #isAdrift(wire: WireSubscription, { epoch, offset }: JsonObject): boolean {
    const { since, status } = wire;
    if (since === undefined || status === "subscribed" || this.#told.has(wire)) return false;
    return since === null || since.epoch !== epoch || since.offset !== offset;
  }

  #refuse(topic: string): void {
    if (this.#full) return;
    this.#full = true;
    const message = `The server made more than ${this.#most} subscriptions for this client: that to ${topic} and those after it are not heard. Make fewer, or broader ones`;
    this.#parts.report(new ClientError({ code: "limit", message, retry: "never" }));
  }

  /**
   * By topic and filter: ids are another connection's the next time, and what could not be made comes without a `subscribed` before it.
   */
  unsubscribed(event: JsonObject): void {
    const { id, topic } = event;
    if (typeof id !== "string" || !id.startsWith("$") || !isTopic(topic)) return;
    const filter = parseFilter(event.filter);
    const key = topic + filter.canonical;
    const wire = this.#byKey.get(key);
    const error = new ClientError(asObject(event.error));
    // The relay tries again what failed for now, and needs to be told then where it was.
    if (wire !== undefined && error.retry === "later") wire.status = "wanted";
    else if (wire !== undefined) this.#remove(key, wire);
    this.#parts.emit("unsubscribed", { id, topic, filter: filterObject(filter), error });
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

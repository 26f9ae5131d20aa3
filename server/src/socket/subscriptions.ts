import { BellwireError, type SubscribeResult, type Subscribed } from "@bellwire/protocol";
import type { Admission, SubscriptionQuestion } from "../auth/admission.js";
import type { SubscriptionProof } from "../auth/tickets.js";
import type { Feed, Older } from "../feed/feed.js";
import type { Feeds } from "../feed/feeds.js";
import type { Recovery } from "../feed/recovery.js";
import { toBellwireError } from "../failure.js";
import type { Connection, Intent } from "./connection.js";
import { parseId, parseIds, parseSubscribeItem, parseSubscribeList, type SubscribeRequest } from "./subscribe-item.js";

export interface SubscriptionLimits {
  /** Subscriptions of one connection. */
  readonly perConnection: number;
  /** Items of one frame. */
  readonly perFrame: number;
}

/** An item on its way: admitted, its feed claimed. */
interface Prepared {
  readonly intent: Intent;
  readonly request: SubscribeRequest;
  readonly proof: SubscriptionProof;
  readonly feed: Feed;
  readonly older: Older | undefined;
}

type Step = Prepared | { readonly id: string; readonly error: BellwireError };

/** Makes and ends subscriptions of connections. */
export class Subscriptions {
  readonly #feeds: Feeds;
  readonly #admission: Admission;
  readonly limits: SubscriptionLimits;
  /** Open subscriptions on this relay. */
  count = 0;

  constructor(feeds: Feeds, admission: Admission, limits: SubscriptionLimits) {
    this.#feeds = feeds;
    this.#admission = admission;
    this.limits = limits;
  }

  /**
   * Answers a `subscribe` frame. What takes time comes first (tokens, feeds, older messages); then reading the heads, joining
   * and handing the results to `ack` are one synchronous step, so that no message falls between an ack and what follows it.
   */
  async subscribe(connection: Connection, list: unknown, ack: (reply: { results: SubscribeResult[] }) => void): Promise<void> {
    const items = parseSubscribeList(list, this.limits.perFrame);
    const admit = this.#admission.forFrame(connection.permit);
    const steps = await Promise.all(items.map((item) => this.#prepare(connection, item, admit)));
    const results = steps.map((step) => this.#finish(connection, step));
    if (!connection.closed) ack({ results });
  }

  async #prepare(
    connection: Connection,
    item: Record<string, unknown>,
    admit: (question: SubscriptionQuestion) => Promise<SubscriptionProof>,
  ): Promise<Step> {
    const id = parseId(item.id);
    const { pending, subscriptions } = connection;
    if (pending.has(id) || subscriptions.has(id)) {
      return { id, error: new BellwireError("bad-request", "The id is in use on this connection") };
    }
    if (pending.size + subscriptions.size >= this.limits.perConnection) {
      return { id, error: new BellwireError("limit", `At most ${this.limits.perConnection} subscriptions on one connection`) };
    }
    const intent: Intent = { wanted: true };
    pending.set(id, intent);
    let feed: Feed | undefined;
    try {
      const request = parseSubscribeItem(item);
      const proof = await admit(request);
      feed = await this.#feeds.claim(connection.site, request.topic);
      const older = await this.#reachBack(feed, connection, request);
      if (!intent.wanted) throw new BellwireError("not-found", "Unsubscribed before it was made");
      return { intent, request, proof, feed, older };
    } catch (error) {
      if (feed !== undefined) this.#feeds.release(feed);
      if (pending.get(id) === intent) pending.delete(id);
      return { id, error: toBellwireError(error) };
    }
  }

  /** Reads further back than memory reaches, where this item needs it; one read serves all clients that wait for it. */
  async #reachBack(feed: Feed, connection: Connection, { since, filter }: SubscribeRequest): Promise<Older | undefined> {
    if (!feed.live || feed.recover(since, filter, connection) !== "older") return undefined;
    return feed.older().catch(() => undefined); // then memory is all there is, and a resync says so
  }

  #finish(connection: Connection, step: Step): SubscribeResult {
    if ("error" in step) return { id: step.id, error: step.error.toJSON() };
    const { intent, request, proof, feed } = step;
    const { id, topic, filter } = request;
    if (connection.pending.get(id) === intent) connection.pending.delete(id);
    try {
      if (!intent.wanted || connection.closed) throw new BellwireError("not-found", "Unsubscribed before it was made");
      feed.flush();
      const { messages, resync } = this.#recover(connection, step);
      feed.join(connection, filter);
      connection.subscriptions.set(id, { id, topic, filter, feed, proof });
      this.count++;
      return this.#result(id, feed, messages, resync, this.#admission.tickets.forSubscription(connection, proof, Date.now() / 1000));
    } catch (error) {
      return { id, error: toBellwireError(error).toJSON() };
    } finally {
      this.#feeds.release(feed);
    }
  }

  #recover(connection: Connection, { request, feed, older }: Prepared): Exclude<Recovery, "older"> {
    const { since, filter } = request;
    const unknown = { messages: [], resync: !("first" in since) };
    if (feed.head === undefined) return unknown; // degraded: nothing can be known before the log is back
    const recovery = feed.recover(since, filter, connection);
    if (recovery !== "older") return recovery;
    const ring = older === undefined ? undefined : feed.extend(older);
    const further = ring === undefined ? "older" : feed.recover(since, filter, connection, ring);
    return further === "older" ? unknown : further;
  }

  #result(id: string, feed: Feed, messages: Exclude<Recovery, "older">["messages"], resync: boolean, ticket: string | null): Subscribed {
    return {
      id,
      epoch: feed.head?.epoch ?? "",
      offset: feed.head?.offset ?? 0,
      ticket,
      messages: messages.map((message) => message.toWire()),
      resync,
      ...(feed.live ? {} : { degraded: true as const }),
      ...(resync ? { spread: this.#feeds.spread(feed.members.size) } : {}),
    };
  }

  /** Ends subscriptions; ids that are not open are nothing to complain of. */
  unsubscribe(connection: Connection, list: unknown): void {
    for (const id of parseIds(list, this.limits.perFrame)) {
      const pending = connection.pending.get(id);
      if (pending !== undefined) {
        pending.wanted = false;
        connection.pending.delete(id); // free for use again, although its answer is still to come
      }
      this.#end(connection, id);
    }
  }

  #end(connection: Connection, id: string): void {
    const subscription = connection.subscriptions.get(id);
    if (subscription === undefined) return;
    connection.subscriptions.delete(id);
    subscription.feed.leave(connection, subscription.filter);
    this.count--;
  }

  /** Ends everything that a gone connection had. */
  endAll(connection: Connection): void {
    connection.closed = true;
    for (const pending of connection.pending.values()) pending.wanted = false;
    for (const id of [...connection.subscriptions.keys()]) this.#end(connection, id);
  }
}

import {
  BellwireError,
  filterObject,
  grantCovers,
  isReservedTopic,
  type ParsedFilter,
  type ParsedGrant,
  type Position,
  type SubscribeResult,
  type Subscribed,
} from "@bellwire/protocol";
import { within } from "@bellwire/emitter/time";
import type { AdmittedSubscription, Admission, SubscriptionQuestion } from "../auth/admission.js";
import type { SubscriptionProof } from "../auth/tickets.js";
import type { Settings } from "../config/settings.js";
import type { Feed } from "../feed/feed.js";
import type { Older } from "../feed/feed-host.js";
import { topicAsShown, type Feeds } from "../feed/feeds.js";
import { Slices } from "../pacing/slices.js";
import { COST, requireWork } from "../pacing/work.js";
import { Answers, type Answer } from "./answers.js";
import { toBellwireError } from "./failure.js";
import { Disconnected } from "../hooks/hooks.js";
import type { Metrics } from "../observe/metrics.js";
import type { Permit } from "../revocations/revocation.js";
import type { RevocationIndex } from "../revocations/revocation-index.js";
import { Subscription, type EndSubscription, type Connection, type Intent } from "./connection.js";
import { HeldSubscriptions } from "./held-subscriptions.js";
import type { SubscriptionObserver } from "./observers.js";
import { leaveRooms, releaseRooms, RoomBudget } from "./room-budget.js";
import type { Admitted, Begun, Frame, Prepared, Refused, Step } from "./subscribe-step.js";
import { parseId, parseIds, parseSubscribeItem, parseSubscribeList } from "./subscribe-item.js";

export interface SubscriptionsOptions {
  readonly feeds: Feeds;
  readonly admission: Admission;
  readonly settings: Pick<Settings, "of">;
  /** Told of subscriptions in this order. */
  readonly observers: readonly SubscriptionObserver[];
  /** Told of each item that a client asked for in vain. Must not throw. */
  readonly onRefused: (site: string, error: BellwireError) => void;
  readonly metrics?: Metrics;
}

/** The ids of what everybody has: it takes nobody's room. */
const PERSONAL = ["$user", "$session"];

// How long a subscribe waits for messages from further back than memory reaches.
const OLDER_MS = 3000;

/** The position of a feed that never read its log. */
const UNKNOWN: Position = { epoch: "", offset: 0 };

/** Makes and ends subscriptions of connections. */
export class Subscriptions {
  readonly #feeds: Feeds;
  readonly #admission: Admission;
  readonly #endOne: EndSubscription;
  readonly #settings: Pick<Settings, "of">;
  readonly observers: readonly SubscriptionObserver[];
  readonly #onRefused: SubscriptionsOptions["onRefused"];
  /** Whoever asks for much is answered over many turns. */
  readonly #slices = new Slices();
  #count = 0;

  constructor({ feeds, admission, settings, observers, onRefused, metrics }: SubscriptionsOptions) {
    metrics?.gauge("subscriptions", "Subscriptions open on this relay, without personal topics", () => this.count);
    this.#feeds = feeds;
    this.#admission = admission;
    this.#settings = settings;
    this.observers = observers;
    this.#onRefused = onRefused;
    this.#endOne = (subscription, connection, error) => this.#endThose(connection, (candidate) => candidate === subscription, error);
  }

  /** Open subscriptions on this relay, without the personal topics that everybody has. */
  get count(): number {
    return this.#count;
  }

  /**
   * Answers a `subscribe` frame. What takes time comes first (tokens, feeds, older messages); then reading the heads, joining
   * and handing the results to `ack` are one synchronous step, so that no message falls between an ack and what follows it.
   * @param whole nothing is made where an item is refused; the results are then those of the refused ones
   */
  async subscribe(
    connection: Connection,
    list: unknown,
    ack: (reply: { results: SubscribeResult[] }) => void,
    whole: boolean = false,
  ): Promise<void> {
    const { limits } = this.#settings.of(connection.site);
    const items = parseSubscribeList(list, limits.subscriptionsPerFrame);
    const admit = this.#admission.forFrame(connection);
    const frame: Frame = { rooms: new RoomBudget(limits), answers: new Answers(connection, connection.work) };
    // All ids first: an `unsubscribe` that comes while others of the frame wait for their turn has to find them.
    const begun = items.map((item) => this.#begin(connection, parseId(item.id)));
    const prepare = (item: Record<string, unknown>, begin: Begun | Refused): Promise<Step> =>
      "error" in begin ? Promise.resolve(begin) : this.#prepareItem(connection, item, begin, frame, admit);
    const steps = await Promise.all(items.map((item, i) => prepare(item, begun[i] as Begun | Refused)));
    const refused = whole && steps.some((step) => "error" in step);
    const results = refused ? this.#abandon(connection, steps) : steps.map((step) => this.#finish(connection, step));
    if (!connection.closed) ack({ results });
  }

  /** Makes nothing of what is prepared. Answers for what is refused. */
  #abandon(connection: Connection, steps: readonly Step[]): SubscribeResult[] {
    return steps.flatMap((step) => {
      if ("error" in step) return [this.#refuse(connection, step.id, step.error)];
      this.#settle(connection, step.request.id, step.intent);
      releaseRooms(connection, step.intent);
      this.#feeds.release(step.feed);
      return [];
    });
  }

  #prepareItem(
    connection: Connection,
    item: Record<string, unknown>,
    begun: Begun,
    frame: Frame,
    admit: (question: SubscriptionQuestion) => Promise<AdmittedSubscription>,
  ): Promise<Step> {
    const { intent } = begun;
    const read = async (): Promise<Admitted> => {
      requireWork(connection.work, COST.item);
      const request = parseSubscribeItem(item);
      intent.scope = request;
      frame.rooms.reserve(connection, intent, request.topic, request.filter);
      return { request, ...(await admit(request)), held: false };
    };
    return this.#prepare(connection, begun, frame.answers, () => this.#slices.run(connection, read));
  }

  /**
   * Makes a subscription that the server decided on, as long as the connection lasts, and tells the client of it. One of the same
   * topic and filter that the server made before is enough. Where it can't be made the client is told so. Resolves to why not;
   * never rejects.
   * @param by what decided it, and when
   */
  async hold(connection: Connection, topic: string, filter: ParsedFilter, by: Permit): Promise<BellwireError | undefined> {
    if (connection.permit.guest === true) return undefined; // it is nobody's page, and has what it asked for
    connection.held ??= new HeldSubscriptions();
    const shownTopic = topicAsShown(topic);
    const begun = connection.held.begin(shownTopic, filter);
    if (begun === undefined) return undefined;
    const { id, since } = begun;
    const proof = { topic, filter: filter.canonical, iat: by.iat, jti: by.jti, until: undefined };
    const step = await this.#prepareHeld(connection, { id, topic, filter, since }, proof);
    const result = "error" in step ? step.error : this.#join(connection, step);
    if (result instanceof BellwireError) {
      connection.held.unmade(shownTopic, filter, since);
      // Ended by somebody before it was made: whoever did knows of it.
      if (connection.closed || !("error" in step || step.intent.wanted)) return undefined;
      this.#tellUnsubscribed(connection, { id, topic, filter }, result);
      return result;
    }
    const { epoch, offset, messages, resync, spread } = result;
    const shown = { id, topic: shownTopic, filter: filterObject(filter), epoch, offset, messages, resync };
    connection.tell("subscribed", spread === undefined ? shown : { ...shown, spread });
    return undefined;
  }

  async #prepareHeld(connection: Connection, request: Admitted["request"], proof: SubscriptionProof): Promise<Step> {
    const begun = this.#begin(connection, request.id);
    if ("error" in begun) return begun;
    const { intent } = begun;
    return this.#prepare(connection, begun, new Answers(connection, connection.work), async () => {
      intent.scope = request;
      new RoomBudget(this.#settings.of(connection.site).limits).reserve(connection, intent, request.topic, request.filter);
      return { request, proof, ticket: undefined, held: true };
    });
  }

  /** Takes an id for a subscription under way. */
  #begin(connection: Connection, id: string): Begun | Refused {
    const { subscriptions } = connection;
    const pending = (connection.pending ??= new Map());
    if (pending.has(id) || subscriptions.has(id)) {
      return { id, error: new BellwireError("bad-request", "The id is in use on this connection") };
    }
    const most = this.#settings.of(connection.site).limits.subscriptionsPerConnection;
    if (!PERSONAL.includes(id) && pending.size + subscriptions.size - personalOf(connection) >= most) {
      return { id, error: new BellwireError("limit", `At most ${most} subscriptions on one connection`) };
    }
    const intent: Intent = { wanted: true, scope: undefined, rooms: 0 };
    pending.set(id, intent);
    return { id, intent };
  }

  async #prepare(connection: Connection, { id, intent }: Begun, answers: Answers, admit: () => Promise<Admitted>): Promise<Step> {
    let feed: Feed | undefined;
    try {
      const admitted = await admit();
      const { request } = admitted;
      feed = await this.#feeds.claim(connection.site, request.topic);
      const older = await this.#reachBack(feed, connection, request, answers);
      if (!intent.wanted) throw new BellwireError("not-found", "Unsubscribed before it was made");
      return { ...admitted, intent, feed, older, answers };
    } catch (error) {
      if (feed !== undefined) this.#feeds.release(feed);
      releaseRooms(connection, intent);
      this.#settle(connection, id, intent);
      if (error instanceof Disconnected) {
        // Later: others of the same frame are still to be answered.
        setImmediate(() => connection.bye(error.error));
        return { id, error: error.error };
      }
      return { id, error: toBellwireError(error) };
    }
  }

  /** Reads further back than memory reaches, where this item needs it; one read serves all clients that wait for it. */
  async #reachBack(feed: Feed, connection: Connection, request: Admitted["request"], answers: Answers): Promise<Older | undefined> {
    const { since } = request;
    if (feed.live && "position" in since && isAhead(since.position, feed.told)) {
      // Another relay was quicker to hear what this client has heard: answered from here, it would hear that again.
      await feed.lookAhead().catch(() => undefined);
    }
    const seek = (older?: Older): Promise<boolean> => this.#slices.run(connection, () => feed.live && answers.seek(feed, request, older));
    if (!(await seek())) return undefined;
    // Otherwise memory is all there is, and a resync says so.
    const older = await within(answers.older(feed), OLDER_MS, "Reading older messages").catch(() => undefined);
    if (older !== undefined) await seek(older);
    return older;
  }

  /** A subscribe is no longer under way. */
  #settle(connection: Connection, id: string, intent: Intent): void {
    const { pending } = connection;
    if (pending?.get(id) === intent) pending.delete(id);
    if (pending?.size === 0) connection.pending = undefined; // most connections are idle most of the time
  }

  #finish(connection: Connection, step: Step): SubscribeResult {
    if ("error" in step) return this.#refuse(connection, step.id, step.error);
    const result = this.#join(connection, step);
    return result instanceof BellwireError ? this.#refuse(connection, step.request.id, result) : result;
  }

  /** The last step, synchronous: it looks once more whether it may be, joins, and tells where it stands. Never throws. */
  #join(connection: Connection, step: Prepared): Subscribed | BellwireError {
    const { intent, request, proof, feed, held } = step;
    const { id, topic, filter } = request;
    this.#settle(connection, id, intent);
    try {
      if (!intent.wanted || connection.closed) throw new BellwireError("not-found", "Unsubscribed before it was made");
      this.#admission.checkRevoked(connection, proof, request);
      feed.flush();
      const answer = step.answers.take(feed, request, step.older);
      feed.join(connection, filter);
      const { granted = false, info } = step;
      const subscription = new Subscription({ id, topic, filter, feed, proof, held, granted, info }, this.#endOne);
      connection.subscriptions.set(id, subscription);
      if (!isReservedTopic(topic)) this.#count++;
      for (const observer of this.observers) observer.made(connection, subscription);
      const ticket = held ? null : (step.ticket ?? this.#admission.tickets.forSubscription(connection, proof, Date.now() / 1000));
      return this.#result(request, feed, answer, ticket);
    } catch (error) {
      releaseRooms(connection, intent);
      return toBellwireError(error);
    } finally {
      this.#feeds.release(feed);
    }
  }

  #refuse(connection: Connection, id: string, error: BellwireError): SubscribeResult {
    // What was unsubscribed meanwhile, or lost its connection, was not refused.
    if (error.code !== "not-found" && !connection.closed && !id.startsWith("$")) this.#onRefused(connection.site, error);
    return { id, error: error.toJSON() };
  }

  #result({ id, since }: Admitted["request"], feed: Feed, { messages, resync }: Answer, ticket: string | null): Subscribed {
    // A relay that is behind must not take a client's cursor back: it would hear again what another relay has told it.
    const { epoch, offset } = "position" in since && isAhead(since.position, feed.told) ? since.position : (feed.told ?? UNKNOWN);
    return {
      id,
      epoch,
      offset,
      ticket,
      messages,
      resync,
      ...(feed.live ? {} : { degraded: true as const }),
      ...(resync ? { spread: this.#feeds.spread(feed.members.size) } : {}),
    };
  }

  /** Ends subscriptions; ids that are not open are nothing to complain of. */
  unsubscribe(connection: Connection, list: unknown): void {
    const ids = parseIds(list, this.#settings.of(connection.site).limits.subscriptionsPerFrame);
    connection.work.spend(ids.length * COST.ended);
    for (const id of ids) {
      this.#forgo(connection, id);
      this.#end(connection, id);
    }
  }

  /** What is under way under this id is not wanted any more; the id is free for use again, although its answer is still to come. */
  #forgo(connection: Connection, id: string): void {
    const pending = connection.pending?.get(id);
    if (pending === undefined) return;
    pending.wanted = false;
    connection.pending?.delete(id);
  }

  #end(connection: Connection, id: string): void {
    const subscription = connection.subscriptions.get(id);
    if (subscription === undefined) return;
    const { feed, topic, filter, held } = subscription;
    connection.subscriptions.delete(id);
    feed.leave(connection, filter);
    leaveRooms(connection, topic, filter);
    if (held) connection.held?.end(topicAsShown(topic), filter);
    if (!isReservedTopic(topic)) this.#count--;
    for (const observer of this.observers) observer.ended(connection, subscription);
  }

  /**
   * Ends the subscriptions that lie within a grant, or all of them, also those under way, and tells the client why.
   * @param grant undefined: everything
   */
  endWithin(connection: Connection, grant: ParsedGrant | undefined, error: BellwireError): void {
    for (const [id, { scope }] of connection.pending ?? []) {
      if (grant === undefined || (scope !== undefined && grantCovers(grant, scope.topic, scope.filter))) this.#forgo(connection, id);
    }
    this.#endThose(connection, ({ topic, filter }) => grant === undefined || grantCovers(grant, topic, filter), error);
  }

  /** Ends the subscriptions whose permits are revoked, and tells the client. Those under way are checked when they are made. */
  endRefused(connection: Connection, revocations: RevocationIndex, error: BellwireError): void {
    this.#endThose(connection, (subscription) => revocations.refuses(connection, subscription.proof, subscription), error);
  }

  /** Ends the one subscription of this topic and filter that the server made, and tells the client why. */
  endHeld(connection: Connection, topic: string, filter: ParsedFilter, error: BellwireError): void {
    for (const [id, { scope }] of connection.pending ?? []) {
      if (id.startsWith("$") && scope?.topic === topic && scope.filter.canonical === filter.canonical) this.#forgo(connection, id);
    }
    const isIt = (one: Subscription): boolean => one.held && one.topic === topic && one.filter.canonical === filter.canonical;
    this.#endThose(connection, isIt, error);
  }

  #endThose(connection: Connection, which: (subscription: Subscription) => boolean, error: BellwireError): void {
    for (const subscription of [...connection.subscriptions.values()].filter(which)) {
      this.#end(connection, subscription.id);
      this.#tellUnsubscribed(connection, subscription, error);
    }
  }

  #tellUnsubscribed(
    connection: Connection,
    { id, topic, filter }: Pick<Subscription, "id" | "topic" | "filter">,
    error: BellwireError,
  ): void {
    connection.tell("unsubscribed", { id, topic: topicAsShown(topic), filter: filterObject(filter), error: error.toJSON() });
  }

  /** Ends everything that a gone connection had. */
  endAll(connection: Connection): void {
    connection.closed = true;
    for (const pending of connection.pending?.values() ?? []) pending.wanted = false;
    for (const id of [...connection.subscriptions.keys()]) this.#end(connection, id);
  }
}

function isAhead(position: Position, head: Position | undefined): boolean {
  return head !== undefined && position.epoch === head.epoch && position.offset > head.offset;
}

function personalOf({ pending, subscriptions }: Connection): number {
  return PERSONAL.filter((id) => subscriptions.has(id) || pending?.has(id) === true).length;
}

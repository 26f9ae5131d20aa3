import type { Position } from "@bellwire/protocol";
import type { Callback, Message, Resync, SubscribeOptions, Subscription, SubscriptionState } from "../api.js";
import { ClientError } from "../errors.js";
import { invoke, type Report } from "../invoke.js";
import type { Seat } from "./heard.js";
import { later } from "./order.js";
import { checkReplay, checkSince, oldest, type Replay } from "./replay.js";
import type { Hearer, WireSubscription } from "./wire-subscription.js";

export interface SubscriberParts {
  readonly report: Report;
  /** Why there is no connection now. */
  lost(): ClientError | undefined;
  leave(subscriber: Subscriber): void;
  /** A seat that has become free since it began. */
  seat(subscriber: Subscriber): Seat | undefined;
}

/** One callback on a wire subscription; to the application, its handle. */
export class Subscriber implements Subscription, Hearer {
  readonly id: string;
  readonly topic: string;
  readonly ready: Promise<void>;
  readonly replay: Replay;
  /** Where the application's data stands. */
  readonly since: Position | undefined;
  readonly #callback: Callback;
  readonly #options: SubscribeOptions;
  readonly #parts: SubscriberParts;
  /** Epoch milliseconds: what is older it does not want. */
  readonly #from: number;
  #wire: WireSubscription | undefined;
  #failure: ClientError | undefined;
  /** What it was told last, or where the one before it stopped. */
  #heard: Position | null | undefined;
  #told = false;
  #isCaughtUp = false;
  #isChanging = false;
  #settle!: { resolve(): void; reject(error: ClientError): void };

  /** @throws BellwireError `bad-request` for a replay or a position that is none */
  constructor(id: string, topic: string, callback: Callback, options: SubscribeOptions, parts: SubscriberParts) {
    this.id = id;
    this.topic = topic;
    this.since = checkSince(options.since);
    this.replay = this.since !== undefined || checkReplay(options.replay);
    this.#from = Date.now() - oldest(this.replay);
    this.#callback = callback;
    this.#options = options;
    this.#parts = parts;
    this.ready = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    // Most never look at it; a refusal is told through onError anyhow.
    this.ready.catch(() => {});
  }

  get state(): SubscriptionState {
    if (this.#failure !== undefined) return "failed";
    if (this.#wire === undefined) return "unsubscribed";
    return this.#wire.status === "subscribed" ? "subscribed" : "pending";
  }

  get error(): ClientError | undefined {
    return this.state === "pending" ? (this.#wire?.error ?? this.#parts.lost()) : this.#failure;
  }

  /** What it hears; undefined once it ended. */
  get wire(): WireSubscription | undefined {
    return this.#wire;
  }

  /** What it leaves behind for the next one. */
  get seat(): Seat | undefined {
    const position = this.#wire?.heardBy(this.#heard);
    // What it was told was the last message, so none from before that is left to tell.
    return position === undefined ? undefined : { position, from: this.#told ? -Infinity : this.#from };
  }

  /** @param position where the one before it stopped */
  join(wire: WireSubscription, position: Position | null | undefined): void {
    this.#wire = wire;
    this.#heard = position;
    this.#isCaughtUp = this.#told = position !== undefined;
    wire.hearers.add(this);
  }

  unsubscribe(): void {
    if (this.#wire === undefined) return;
    this.#parts.leave(this);
    this.#wire = undefined;
    this.#settle.reject(new ClientError({ code: "unsubscribed", message: "Unsubscribed before the relay confirmed", retry: "never" }));
  }

  // Where a browser has no Symbol.dispose yet, this is a method of no use named "undefined".
  [Symbol.dispose](): void {
    this.unsubscribe();
  }

  /** Tells the last message that its wire subscription has seen, unless this page has heard it. */
  catchUp(): void {
    const last = this.#wire?.last;
    if (this.#isCaughtUp || last === undefined) return;
    this.#isCaughtUp = true;
    const position = this.#told ? undefined : this.#parts.seat(this)?.position;
    if (position) this.#heard = position;
    this.#wire?.replayTo(this, last);
  }

  confirm(): void {
    this.#settle.resolve();
  }

  /** Told later, when all that goes with it is done, and once for what changes in one turn. */
  changed(): void {
    const { onState } = this.#options;
    if (onState === undefined || this.#isChanging) return;
    this.#isChanging = true;
    queueMicrotask(() => {
      this.#isChanging = false;
      if (this.state !== "unsubscribed") invoke<[Subscription]>(onState, this.#parts.report, this);
    });
  }

  fail(error: ClientError): void {
    this.#wire = undefined;
    this.#failure = error;
    this.changed();
    this.#settle.reject(error);
    if (this.#options.onError === undefined) this.#parts.report(error);
    else invoke(this.#options.onError, this.#parts.report, error);
  }

  deliver(message: Message): void {
    if (this.#wire === undefined || (this.#heard && !later(message, this.#heard))) return;
    this.#heard = { epoch: message.epoch, offset: message.offset };
    this.#told = true;
    invoke(this.#callback, this.#parts.report, message);
  }

  resync(resync: Resync): void {
    if (this.#wire === undefined) return;
    this.#heard = undefined;
    invoke<[Resync]>(this.#options.onResync ?? this.#callback, this.#parts.report, resync);
  }
}

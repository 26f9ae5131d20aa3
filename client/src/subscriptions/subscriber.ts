import type { Callback, Message, Resync, SubscribeOptions, Subscription, SubscriptionState } from "../api.js";
import { ClientError } from "../errors.js";
import { invoke, type Report } from "../invoke.js";
import type { Hearer, WireSubscription } from "./wire-subscription.js";

/** One callback on a wire subscription; to the application, its handle. */
export class Subscriber implements Subscription, Hearer {
  readonly id: string;
  readonly topic: string;
  readonly ready: Promise<void>;
  readonly replay: boolean;
  error: ClientError | undefined;
  readonly #callback: Callback;
  readonly #options: SubscribeOptions;
  readonly #report: Report;
  readonly #leave: (subscriber: Subscriber) => void;
  #wire: WireSubscription | undefined;
  #heard = false;
  #settle!: { resolve(): void; reject(error: ClientError): void };

  constructor(
    id: string,
    wire: WireSubscription,
    callback: Callback,
    options: SubscribeOptions,
    report: Report,
    leave: (subscriber: Subscriber) => void,
  ) {
    this.id = id;
    this.topic = wire.topic;
    this.replay = options.replay !== false;
    this.#wire = wire;
    this.#callback = callback;
    this.#options = options;
    this.#report = report;
    this.#leave = leave;
    this.ready = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    // Most never look at it; a refusal is told through onError anyhow.
    this.ready.catch(() => {});
  }

  get state(): SubscriptionState {
    if (this.error !== undefined) return "failed";
    if (this.#wire === undefined) return "unsubscribed";
    return this.#wire.status === "subscribed" ? "subscribed" : "pending";
  }

  /** What it hears; undefined once it ended. */
  get wire(): WireSubscription | undefined {
    return this.#wire;
  }

  unsubscribe(): void {
    if (this.#wire === undefined) return;
    this.#leave(this);
    this.#wire = undefined;
    this.#settle.reject(new ClientError({ code: "unsubscribed", message: "Unsubscribed before the relay confirmed", retry: "never" }));
  }

  // Where a browser has no Symbol.dispose yet, this is a method of no use named "undefined".
  [Symbol.dispose](): void {
    this.unsubscribe();
  }

  /** Tells the last message that its wire subscription has seen, unless something newer was told already. */
  catchUp(): void {
    const last = this.#wire?.last;
    if (last !== undefined && this.replay && !this.#heard) this.deliver({ ...last, replay: true });
  }

  confirm(): void {
    this.#settle.resolve();
  }

  fail(error: ClientError): void {
    this.#wire = undefined;
    this.error = error;
    this.#settle.reject(error);
    if (this.#options.onError === undefined) this.#report(error);
    else invoke(this.#options.onError, this.#report, error);
  }

  deliver(message: Message): void {
    if (this.#wire === undefined) return;
    this.#heard = true;
    invoke(this.#callback, this.#report, message);
  }

  resync(resync: Resync): void {
    if (this.#wire !== undefined) invoke<[Resync]>(this.#options.onResync ?? this.#callback, this.#report, resync);
  }
}

import type { Callback, Client, SubscribeOptions, Subscription } from "../api.js";
import { getDefaultClient } from "../default-client.js";
import { isKnown } from "../subscriptions/pending.js";
import type { PendingFilter } from "../topics.js";
import { warnOfMissingClient } from "../watch/missing-client.js";

// TypeScript takes a class for a mixin only where its arguments are any.
// oxlint-disable-next-line typescript/no-explicit-any
type Constructor<T = object> = abstract new (...args: any[]) => T;

/** What `withSubscriptions` adds to a class. */
export interface Subscribing {
  /**
   * The client to use. Default: `window.bellwire`, or what `setDefaultClient` named. Without any nothing is subscribed, which a page is
   * warned of once.
   */
  bellwire?: Client;
  /**
   * As `client.subscribe`, until the component's `stop`, `destroy` or `disconnectedCallback`; it may subscribe anew after that. With a
   * filter like `{ id: undefined }` nothing is subscribed and the handle stays `pending`: subscribe again once the value is there.
   */
  subscribe(topic: string, callback: Callback, options?: SubscribeOptions): Subscription;
  subscribe(topic: string, filter: PendingFilter | null | undefined, callback: Callback, options?: SubscribeOptions): Subscription;
}

// Kept beside the objects: a base's constructor may subscribe before any field of a class below it exists.
const subscriptionsOf = new WeakMap<object, Set<Subscription>>();

/** The names under which components end, whatever their framework. */
const ENDINGS = ["stop", "destroy", "disconnectedCallback"] as const;

/**
 * A class mixin for components. An override of `stop`, `destroy` or `disconnectedCallback` further down calls `super`.
 *
 * @example
 * class ContactCard extends withSubscriptions(HTMLElement) {
 *   connectedCallback() {
 *     this.subscribe("Contact_Updated_Topic", { id: 5 }, () => this.refetch());
 *   }
 * }
 */
export function withSubscriptions<Base extends Constructor>(base: Base): Base & Constructor<Subscribing> {
  abstract class Component extends base {
    subscribe(topic: string, ...rest: unknown[]): Subscription {
      const client = (this as Partial<Subscribing>).bellwire ?? getDefaultClient();
      if (client === undefined) warnOfMissingClient();
      const isPending = typeof rest[0] !== "function" && !isKnown(rest[0] as PendingFilter);
      const subscription =
        client === undefined || isPending
          ? new Waiting(topic)
          : (client.subscribe as (topic: string, ...rest: unknown[]) => Subscription)(topic, ...rest);
      const kept = subscriptionsOf.get(this) ?? new Set();
      for (const old of kept) if (old.state === "unsubscribed" || old.state === "failed") kept.delete(old);
      subscriptionsOf.set(this, kept.add(subscription));
      return subscription;
    }
  }
  for (const ending of ENDINGS) {
    const inherited: unknown = base.prototype[ending];
    Object.defineProperty(Component.prototype, ending, {
      configurable: true,
      writable: true,
      value(this: object, ...args: unknown[]): unknown {
        for (const subscription of subscriptionsOf.get(this) ?? []) subscription.unsubscribe();
        subscriptionsOf.delete(this);
        return typeof inherited === "function" ? (inherited.apply(this, args) as unknown) : undefined;
      },
    });
  }
  return Component as unknown as Base & Constructor<Subscribing>;
}

/** A handle on nothing, for a filter whose value is not there yet, or a client that is not. */
class Waiting implements Subscription {
  readonly id = "";
  readonly topic: string;
  readonly error = undefined;
  readonly ready: Promise<void> = new Promise<void>(() => {});
  state: "pending" | "unsubscribed" = "pending";

  constructor(topic: string) {
    this.topic = topic;
  }

  unsubscribe(): void {
    this.state = "unsubscribed";
  }

  [Symbol.dispose](): void {
    this.unsubscribe();
  }
}

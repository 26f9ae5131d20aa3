import type { ClientError } from "../errors.js";
import type { SubscriptionRequest } from "../options.js";
import type { GrantsAnswer } from "../tokens/token-source.js";
import type { Refusal } from "./retries.js";
import type { WireSubscription } from "./wire-subscription.js";

/** Subscriptions whose token is being asked for, so that nobody else asks. One of `settle` and `fail` is to be called, once. */
export interface Claim {
  readonly requests: readonly SubscriptionRequest[];
  /** @param answer undefined: not answered, to be asked for again */
  settle(answer: GrantsAnswer | undefined): void;
  fail(error: ClientError): void;
}

/** @param done told which were refused once the others are `wanted` again */
export function createClaim(wires: readonly WireSubscription[], done: (refusals: readonly Refusal[]) => void): Claim {
  for (const wire of wires) wire.status = "asking";
  // Some may have ended meanwhile.
  const asking = (wire: WireSubscription): boolean => wire.status === "asking";
  return {
    requests: wires.map((wire) => wire.request),
    settle(answer) {
      const refusals: Refusal[] = [];
      wires.forEach((wire, i) => {
        if (!asking(wire)) return;
        const error = answer?.refused.get(i);
        wire.status = "wanted";
        // What was refused for now is asked for again, not tried without a token.
        wire.asked = answer !== undefined && error === undefined;
        wire.token = error === undefined ? (answer?.tokens?.get(i) ?? answer?.token) : undefined;
        if (error !== undefined) refusals.push([wire, error]);
      });
      done(refusals);
    },
    fail: (error) => done(wires.filter(asking).map((wire) => [wire, error])),
  };
}

import type { ClientError } from "../errors.js";
import type { SubscriptionRequest } from "../options.js";
import type { BatchLimits } from "../subscriptions/batches.js";

/** What the connection needs to open. */
export interface ConnectionAnswer {
  /** Why there is to be no connection, as a sentence: nobody is signed in, or realtime is switched off. */
  readonly off?: string;
  readonly token?: string | undefined;
  readonly url?: string | undefined;
  readonly site?: string | undefined;
  /** For the requests that were asked along, where the source could answer them at the same time. */
  readonly grants?: GrantsAnswer | undefined;
}

export interface GrantsAnswer {
  /** One subscribe token for all requests that were not refused; undefined: try without. */
  readonly token: string | undefined;
  /** By place in the requests: the token for this one, where one for all would be too large. */
  readonly tokens?: ReadonlyMap<number, string>;
  /** By place in the requests: why this one is refused. */
  readonly refused: ReadonlyMap<number, ClientError>;
}

/**
 * Where tokens come from. Both functions MUST settle in bounded time, and soon once their signal is aborted; they may reject with
 * anything.
 */
export interface TokenSource {
  /** False: `connection` can only answer the same again, so a refusal of its token is final. */
  readonly renewable: boolean;
  connection(requests: readonly SubscriptionRequest[], signal?: AbortSignal): Promise<ConnectionAnswer>;
  /** Absent: subscriptions go without tokens, on the connection's grants or the relay's hook. */
  readonly subscriptions?: SubscribeTokens;
}

/** Told of each token as it comes, before it is used. */
export type OnToken = (token: string | undefined) => void;

export interface SubscribeTokens {
  /** What one request may ask for: a token has at most 16,384 characters. `length` counts topics and filters. */
  readonly most: BatchLimits;
  ask(requests: readonly SubscriptionRequest[], signal?: AbortSignal): Promise<GrantsAnswer>;
}

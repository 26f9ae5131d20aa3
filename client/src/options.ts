import type { Filter } from "@bellwire/protocol";

/** One (topic, filter) that a token is asked for. */
export interface SubscriptionRequest {
  readonly topic: string;
  readonly filter: Filter;
}

/** What `getConnectionToken` may answer beside the bare token. null or undefined: nobody is signed in, the state is `off`. */
export type ConnectionToken = string | { readonly token: string; readonly url?: string; readonly site?: string } | null | undefined;

/** One token that covers the requests; null or undefined: subscribe without one. */
export type SubscribeToken = string | { readonly token: string | null } | null | undefined;

/** Either `endpoint`, or `url` with `site`; everything else is optional. */
export interface ClientOptions {
  /** The backend's token endpoint, e.g. `/realtime`. A relative one outside a browser makes the client a no-op in the state `off`. */
  readonly endpoint?: string;
  /** The relay, e.g. `wss://example.com/ws`; a path is a prefix. Default: what the endpoint answers. */
  readonly url?: string;
  /** The site. Default: what the endpoint answers. */
  readonly site?: string;
  /** A connection token, where there will be no second one: when it is refused, the client stops. */
  readonly token?: string;
  /** Asked for a connection token, instead of the endpoint; given up after 10 s and asked again with backoff. */
  readonly getConnectionToken?: () => ConnectionToken | Promise<ConnectionToken>;
  /** Asked for one subscribe token for all these, instead of the endpoint; given up after 10 s and asked again with backoff. */
  readonly getSubscribeToken?: (requests: readonly SubscriptionRequest[]) => SubscribeToken | Promise<SubscribeToken>;
  /** Further headers of the endpoint's requests, e.g. against CSRF; a function is asked each time. */
  readonly headers?: Readonly<Record<string, string>> | (() => Readonly<Record<string, string>>);
  /** Cookies of the endpoint's requests; `include` also sends them to a relay of another origin. Default `same-origin`. */
  readonly credentials?: RequestCredentials;
  /** Handed to the backend's `connect` hook. */
  readonly data?: unknown;
  /** Connect with the first subscription (true, the default) or at once (false). */
  readonly lazy?: boolean;
  /** Milliseconds that an ended subscription stays open in case it returns. Default 1000. */
  readonly linger?: number;
  /** Told of every error, also exceptions from callbacks. Default: the console hears of each code and topic once, with its second failure. */
  readonly onError?: (error: Error) => unknown;
  /** The waits before each attempt to come back, for tests. */
  readonly reconnect?: ReconnectOptions;
}

export interface ReconnectOptions {
  /** Milliseconds: the upper bound of the wait before each attempt; the last one stays. Default 1, 2, 4, 8, 16, 30 s. */
  readonly delays?: readonly number[];
  /**
   * Milliseconds before the first attempt to come back from `off`, of a session that was up; from one to two of that, at random, then
   * twice as long each time, up to 16 times. Default 15,000.
   */
  readonly offDelay?: number;
  /** From 0 up to 1: where below the bound. Default Math.random. */
  readonly random?: () => number;
}

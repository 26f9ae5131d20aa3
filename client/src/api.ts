// `Disposable`, for whose TypeScript settings name an older library.
/// <reference lib="esnext.disposable" preserve="true" />
import type { Filter, JsonObject, Position, PresenceUser, Scalar } from "@bellwire/protocol";
import type { ClientError } from "./errors.js";
import type { Replay } from "./subscriptions/replay.js";
import type { DataOf, FilterOf, PublishDataOf, SinglesOf, TopicName, Topics } from "./topics.js";

export type { Replay };

/**
 * - `idle`: nothing asked for yet
 * - `connecting`: asking for a token, or opening the connection
 * - `connected`
 * - `waiting`: the connection is lost, the next attempt is due
 * - `off`: the backend said 401 or `enabled: false`, or this is a server-side rendering; until `connect()`, or until the page wakes and
 *   somebody is signed in. A session that was up says why in `client.error`, and is also tried again with a new subscription and
 *   after a while, first after 15 to 30 s
 * - `failed`: refused for good, see `client.error`; stays so until `connect()`
 * - `closed`: by `close()`; stays so until `connect()`
 */
export type State = "idle" | "connecting" | "connected" | "waiting" | "off" | "failed" | "closed";

/**
 * - `pending`: not confirmed by the relay yet, or not any more because the connection is lost
 * - `subscribed`
 * - `failed`: refused for good, see `error`
 * - `unsubscribed`
 */
export type SubscriptionState = "pending" | "subscribed" | "failed" | "unsubscribed";

/** A hint that something changed. */
export interface Message<Data = JsonObject> {
  readonly topic: string;
  readonly data: Data;
  readonly epoch: string;
  readonly offset: number;
  /** Epoch milliseconds by the log's clock; informative, never for ordering. */
  readonly time: number;
  /**
   * True for a message from before the subscription began: the topic's last one, or what came while the page had it not mounted.
   * False for live messages, and for those caught up with after a lost connection.
   */
  readonly replay: boolean;
  /** How old a replayed message is, in milliseconds, by the relay's clock. */
  readonly age?: number;
  readonly resync?: never;
}

/** Something may have been missed: fetch again. */
export interface Resync<Data = { readonly [key: string]: Scalar }> {
  readonly resync: true;
  readonly topic: string;
  /** The filter's keys that are pinned to one value, so that a page that reads `data.id` reloads the right thing. */
  readonly data: Data;
}

export type Callback = (message: Message | Resync) => unknown;

/** The callback of one topic, as its types say. */
export type CallbackOf<T, Name extends string> = (message: Message<DataOf<T, Name>> | Resync<SinglesOf<T, Name>>) => unknown;

export interface SubscribeOptions<R = Resync> {
  /**
   * Which message from before to get first, marked `replay: true`: the topic's last matching one (true, the default), none (false),
   * or one that is at most `{maxAge}` milliseconds old, or younger than the page's own load (`"page"`). What this page has heard
   * once it is not told again by subscribing anew; what came in between it is told.
   */
  readonly replay?: Replay;
  /**
   * Where the topic's log stood before the page's data was read, as the backend's `positions` told: to be told exactly what came
   * after, or a resync. `replay` says nothing then.
   */
  readonly since?: Position | undefined;
  /** Called instead of the callback when something may have been missed. */
  readonly onResync?: ((resync: R) => unknown) | undefined;
  /** Called once if the relay or the backend refuses the subscription for good. Default: the client's `onError`. */
  readonly onError?: (error: ClientError) => unknown;
  /** Called with the handle soon after its `state` or `error` changed; not for `unsubscribe`. */
  readonly onState?: (subscription: Subscription) => unknown;
}

/** What `subscribe` returns. */
export interface Subscription extends Disposable {
  readonly id: string;
  readonly topic: string;
  readonly state: SubscriptionState;
  /** Why `state` is `failed`; while `pending` after a failure, what is in the way. */
  readonly error: ClientError | undefined;
  /**
   * Settles once: when the relay first confirms, or rejects when it refuses for good or `unsubscribe` came first.
   * Never an unhandled rejection when nobody looks.
   */
  readonly ready: Promise<void>;
  /** Idempotent; nothing reaches the callback afterwards. */
  unsubscribe(): void;
}

export interface Subscribe<T = Topics> {
  <Name extends TopicName<T>>(topic: Name, callback: CallbackOf<T, Name>, options?: SubscribeOptionsOf<T, Name>): Subscription;
  <Name extends TopicName<T>>(
    topic: Name,
    filter: FilterOf<T, Name> | null | undefined,
    callback: CallbackOf<T, Name>,
    options?: SubscribeOptionsOf<T, Name>,
  ): Subscription;
}

export type SubscribeOptionsOf<T, Name extends string> = SubscribeOptions<Resync<SinglesOf<T, Name>>>;

/** What `client.on` tells. Subscriptions here are those that the server made, e.g. of the user's personal topic `$user`. */
export interface ClientEvents {
  readonly state: State;
  readonly error: Error;
  readonly message: Message;
  readonly resync: Resync;
  readonly subscribed: { readonly id: string; readonly topic: string; readonly filter: Filter };
  readonly unsubscribed: { readonly id: string; readonly topic: string; readonly filter: Filter; readonly error: ClientError };
  /** `incomplete`: more changed than is told; ask with `presence(topic)`. */
  readonly presence: {
    readonly topic: string;
    readonly joined: readonly PresenceUser[];
    readonly left: readonly PresenceUser[];
    readonly count: number | undefined;
    readonly incomplete: boolean;
  };
}

/** @typeParam T what each topic carries; default: what `Topics` was told by declaration merging */
export interface Client<T = Topics> extends Disposable {
  /** The random id of this page load: pass it to the backend, for `except: {client}`. */
  readonly id: string;
  readonly state: State;
  /** Why `state` is `failed`, `waiting`, or `off` after there was a session; undefined once connected. */
  readonly error: ClientError | undefined;
  /** Whom the relay takes this connection for; null: anonymous; undefined before the first connection, and while there is no session. */
  readonly user: string | null | undefined;
  readonly session: string | null | undefined;
  /**
   * Watches a topic, at most through a filter. Opens the connection if need be.
   * @throws BellwireError `bad-request` or `forbidden` for a topic or filter that can't be
   */
  readonly subscribe: Subscribe<T>;
  /** The same as the handle's own `unsubscribe`; unknown ids are ignored. */
  unsubscribe(subscription: Subscription | string): void;
  /** Returns a function that stops listening. */
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => unknown): () => void;
  /** Calls the listener on each change of `state`, not with the present one. Returns a function that stops it. */
  onState(listener: (state: State) => unknown): () => void;
  /**
   * Publishes where the topic allows it. Resolves to where the message stands, or to null where the backend did something else
   * with it. Rejects with a ClientError after 10 s. A lost connection leaves the outcome unknown. Data that is more than the relay
   * takes (4 KiB unless it is told otherwise) is not sent: `too-large`.
   */
  publish<Name extends TopicName<T>>(topic: Name, data: PublishDataOf<T, Name>): Promise<Position | null>;
  /**
   * Calls a method of the backend through the relay. `timeout` in milliseconds, default 30,000. What makes a frame larger than the
   * relay takes (1 MiB) is not sent: `too-large`. The backend's own refusal is `rejected`, with its words in `reason`.
   */
  rpc(
    method: string,
    data?: unknown,
    options?: { readonly timeout?: number },
  ): Promise<{ readonly status?: number; readonly data: unknown }>;
  /** Who watches this topic, where it allows the question. Rejects with a ClientError after 10 s. */
  presence(topic: string): Promise<{ readonly users: readonly PresenceUser[]; readonly count: number }>;
  /** Opens the connection now; also the way back from `off`, `failed` and `closed`. */
  connect(): void;
  /** Closes the connection. Subscriptions stay known and return with `connect()`. */
  close(): void;
}

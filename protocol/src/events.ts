import type { WireError } from "./codes.js";
import type { Filter } from "./filter.js";
import type { JsonObject } from "./json.js";
import type { Position } from "./position.js";

/** Version of the wire contract. */
export const VERSION = 1;

/** `[offset, time, data, meta?]`; `time` in epoch milliseconds, informative only. */
export type WireMessage = readonly [offset: number, time: number, data: JsonObject, meta?: JsonObject];

/** What a client sends in the Socket.IO handshake. */
export interface Auth {
  readonly v?: typeof VERSION;
  readonly token?: string;
  readonly ticket?: string;
  readonly data?: unknown;
  /** A random id per page load, kept over reconnects: what `except` names. */
  readonly client?: string;
  /** Positions of subscriptions that the server holds. */
  readonly since?: readonly ({ topic: string; filter?: Filter } & Position)[];
}

export interface Hello {
  readonly v: number;
  readonly user: string | null;
  readonly session: string | null;
  readonly client: string;
  readonly ticket: string | null;
  /** Epoch seconds. */
  readonly until?: number;
  /** The relay's clock, epoch milliseconds. */
  readonly time: number;
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
}

export interface SubscribeItem {
  /** Chosen by the client, 1 to 64 characters, unique on the connection. */
  readonly id: string;
  readonly topic: string;
  readonly filter?: Filter;
  readonly token?: string;
  readonly ticket?: string;
  /** Absent: first time. A position: everything after it. null: subscribed before, position unknown. */
  readonly since?: Position | null;
  /**
   * Whether a first subscription gets the last matching message; default true. `maxAge` in milliseconds: only where it was
   * published at most so long ago, by the clock of the log.
   */
  readonly replay?: boolean | { readonly maxAge: number };
}

export interface Subscribed extends Position {
  readonly id: string;
  readonly ticket: string | null;
  readonly messages: readonly WireMessage[];
  readonly resync: boolean;
  readonly degraded?: true;
  /** Milliseconds within which to refetch, where `resync` is true. */
  readonly spread?: number;
}

export interface Refused {
  readonly id: string;
  readonly error: WireError;
}

export type SubscribeResult = Subscribed | Refused;
export type AckError = { readonly error: WireError };
export type TopicPosition = Position & { readonly topic: string };

/** A subscription that the server made. */
export interface ServerSubscribed extends Position {
  readonly id: string;
  readonly topic: string;
  readonly filter: Filter;
  readonly messages: readonly WireMessage[];
  readonly resync: boolean;
  readonly spread?: number;
}

export interface PresenceUser {
  readonly user: string;
  readonly info?: unknown;
}

/** What a relay emits. */
export interface ServerEvents {
  hello: (hello: Hello) => void;
  messages: (topic: string, epoch: string, batch: readonly WireMessage[], options?: JsonObject) => void;
  positions: (positions: readonly TopicPosition[]) => void;
  resync: (positions: readonly TopicPosition[], how: { spread: number; cause: string }) => void;
  tickets: (tickets: readonly (readonly [id: string | null, ticket: string])[]) => void;
  subscribed: (subscription: ServerSubscribed) => void;
  unsubscribed: (subscription: { id: string; topic: string; filter: Filter; error: WireError }) => void;
  presence: (
    topic: string,
    change: { joined: readonly PresenceUser[]; left: readonly PresenceUser[]; count?: number; incomplete?: true },
  ) => void;
  expiring: (what: { until: number; ids?: readonly string[] }) => void;
  draining: (how: { reconnectIn: number }) => void;
  bye: (error: WireError) => void;
}

/** What a client emits, each with its ack. */
export interface ClientEvents {
  subscribe: (items: readonly SubscribeItem[], ack: (reply: { results: readonly SubscribeResult[] } | AckError) => void) => void;
  unsubscribe: (ids: readonly string[], ack: (reply: object | AckError) => void) => void;
  publish: (message: { topic: string; data: JsonObject }, ack: (reply: Position | AckError) => void) => void;
  rpc: (call: { method: string; data?: unknown }, ack: (reply: { status?: number; data: unknown } | AckError) => void) => void;
  presence: (query: { topic: string }, ack: (reply: { users: readonly PresenceUser[]; count: number } | AckError) => void) => void;
  refresh: (
    request: { token?: string; subscriptions?: readonly { id: string; token: string }[] },
    ack: (reply: { until?: number; results?: readonly SubscribeResult[] } | AckError) => void,
  ) => void;
}

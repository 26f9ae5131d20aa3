import type { BellwireError, Filter, JsonObject, ParsedGrant } from "@bellwire/protocol";

/** Whose connection a question is about. Empty strings stand for "none". */
export interface Asker {
  readonly site: string;
  readonly user: string;
  readonly session: string;
  /** The page load's id. */
  readonly client: string;
  /** This connection's id, another one after each reconnect. */
  readonly connection: string;
  /** The browser's headers that may be passed on, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** What the backend said of the user when the connection was admitted. */
  readonly info: unknown;
}

export interface ConnectQuestion extends Asker {
  /** What the client sent along as `auth.data`. */
  readonly data: unknown;
  /** The connection token's claims, where one was sent and its signature holds. */
  readonly claims: JsonObject | undefined;
}

/** Admits a connection. */
export interface ConnectReply {
  /** Empty: anonymous. */
  readonly user: string;
  readonly session: string;
  readonly info: unknown;
  /** Epoch seconds: the connection's end unless refreshed. */
  readonly until: number | undefined;
  /** Subscriptions to make for it; whole topics only. */
  readonly subscriptions: readonly ParsedGrant[];
  /** What it may subscribe without asking again. */
  readonly grants: readonly ParsedGrant[];
}

/** Asked some time before a connection's `until`. */
export type RefreshQuestion = Asker;

export interface RefreshReply {
  /** The new end, epoch seconds; undefined: no end any more. */
  readonly until: number | undefined;
}

export interface SubscribeQuestion extends Asker {
  readonly topic: string;
  readonly filter: Filter;
}

export interface SubscribeReply {
  /** Epoch seconds: the subscription's end unless refreshed. */
  readonly until: number | undefined;
  /** Of this user in this topic's presence, instead of the connection's. */
  readonly info: unknown;
}

/** Marks a publish that nothing but a hook may allow. A symbol: backends are not told, and a copy of the question keeps it. */
export const UNGRANTED: unique symbol = Symbol("ungranted");

export interface PublishQuestion extends Asker {
  readonly topic: string;
  readonly data: JsonObject;
  readonly [UNGRANTED]?: true;
}

export interface PublishReply {
  /** Goes in instead of the client's. */
  readonly data: JsonObject | undefined;
  readonly topic: string | undefined;
  /** The backend has done what there was to do: nothing is published. */
  readonly handled: boolean;
}

export interface RpcQuestion extends Asker {
  readonly method: string;
  readonly data: unknown;
}

export interface RpcReply {
  /** Of the HTTP form only. */
  readonly status: number | undefined;
  readonly data: unknown;
}

/**
 * The questions that a relay asks its backend. Each is undefined where nobody is to be asked. They reject with a BellwireError,
 * or with a `Disconnected`: the connection is then to be ended.
 */
export interface Hooks {
  connect(question: ConnectQuestion): Promise<ConnectReply> | undefined;
  refresh(question: RefreshQuestion): Promise<RefreshReply> | undefined;
  subscribe(question: SubscribeQuestion): Promise<SubscribeReply> | undefined;
  publish(question: PublishQuestion): Promise<PublishReply> | undefined;
  rpc(question: RpcQuestion): Promise<RpcReply> | undefined;
  /** What `hello.features` names, e.g. `rpc`. */
  readonly features: readonly string[];
  close(): Promise<void>;
}

/** A backend's wish to end the connection. `error` is what the client's `bye` says: `forbidden`, with the backend's words as reason. */
export class Disconnected extends Error {
  readonly error: BellwireError;

  constructor(error: BellwireError) {
    super(error.message);
    this.error = error;
  }
}

import type { Grant, JsonObject, Reason } from "@bellwire/protocol";
import type {
  ConnectQuestion,
  ConnectReply,
  PublishQuestion,
  PublishReply,
  RefreshQuestion,
  RefreshReply,
  RpcQuestion,
  RpcReply,
  SubscribeQuestion,
  SubscribeReply,
} from "./hooks.js";

export interface HookQuestions {
  readonly connect: ConnectQuestion;
  readonly refresh: RefreshQuestion;
  readonly subscribe: SubscribeQuestion;
  readonly publish: PublishQuestion;
  readonly rpc: RpcQuestion;
}

/** The questions that a relay asks. */
export type HookEvent = keyof HookQuestions;

export interface HookReplies {
  readonly connect: ConnectReply;
  readonly refresh: RefreshReply;
  readonly subscribe: SubscribeReply;
  readonly publish: PublishReply;
  readonly rpc: RpcReply;
}

type Maybe<T> = T | null | undefined;

/** A yes, as a function in the same process writes it: what an HTTP backend would write as JSON. */
export interface PlainReplies {
  readonly connect: {
    /** Empty or null: anonymous. Left out: whom the token names, where one was sent. */
    readonly user?: string | null;
    readonly session?: Maybe<string>;
    readonly info?: unknown;
    /** Epoch seconds. */
    readonly until?: Maybe<number>;
    readonly subscriptions?: Maybe<readonly Grant[]>;
    readonly grants?: Maybe<readonly Grant[]>;
  };
  readonly refresh: {
    /** Epoch seconds; null: no end any more. */
    readonly until: number | null;
  };
  readonly subscribe: { readonly until?: Maybe<number>; readonly info?: unknown };
  readonly publish: { readonly data?: Maybe<JsonObject>; readonly topic?: Maybe<string>; readonly handled?: Maybe<boolean> };
  readonly rpc: { readonly data?: unknown; readonly status?: Maybe<number> };
}

/**
 * A no. The client learns of an `error` as `rejected` with this as its `reason`, but for the code `forbidden`: that stays
 * `forbidden`. A `disconnect` ends the connection with `forbidden`.
 */
export type Refusal = { readonly error: Reason } | { readonly disconnect: { readonly code: Reason["code"]; readonly reason?: string } };

/** What a function may answer. Subscriptions also by true and false. */
export type HookAnswer<Event extends HookEvent> = {
  [Each in Event]: PlainReplies[Each] | Refusal | (Each extends "subscribe" ? boolean : never);
}[Event];

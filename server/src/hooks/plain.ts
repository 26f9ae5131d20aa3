import { filterObject, type Grant, type JsonObject, type ParsedGrant, type Reason } from "@bellwire/protocol";
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
import {
  answerOf,
  parseConnectReply,
  parsePublishReply,
  parseRefreshReply,
  parseRpcReply,
  parseSubscribeReply,
  refusedFor,
} from "./replies.js";

export interface HookQuestions {
  readonly connect: ConnectQuestion;
  readonly refresh: RefreshQuestion;
  readonly subscribe: SubscribeQuestion;
  readonly publish: PublishQuestion;
  readonly rpc: RpcQuestion;
}

/** The questions that a relay asks. */
export type HookEvent = keyof HookQuestions;

export const HOOK_EVENTS: readonly HookEvent[] = ["connect", "refresh", "subscribe", "publish", "rpc"];

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

/**
 * Reads what a function answered.
 * @throws BellwireError; Disconnected; BadReply
 */
export function readAnswer<Event extends HookEvent>(event: Event, answer: unknown, question: HookQuestions[Event]): HookReplies[Event] {
  if (event === "subscribe" && answer === false) throw refusedFor();
  const source = answerOf(event === "subscribe" && answer === true ? {} : answer);
  return READERS[event](source, question as never) as HookReplies[Event];
}

const READERS: { readonly [Event in HookEvent]: (source: JsonObject, question: never) => HookReplies[Event] } = {
  connect: (source, question: ConnectQuestion) => parseConnectReply(source, question),
  refresh: parseRefreshReply,
  subscribe: parseSubscribeReply,
  publish: parsePublishReply,
  rpc: parseRpcReply,
};

/** A reply as a function would have written it. */
export function asPlain<Event extends HookEvent>(event: Event, reply: HookReplies[Event]): PlainReplies[Event] {
  const source: HookReplies[HookEvent] = reply;
  if (event === "connect") {
    const { subscriptions, grants, ...rest } = source as ConnectReply;
    return { ...rest, subscriptions: subscriptions.map(plainGrant), grants: grants.map(plainGrant) } as unknown as PlainReplies[Event];
  }
  if (event === "refresh") return { until: (source as RefreshReply).until ?? null } as unknown as PlainReplies[Event];
  return source as PlainReplies[Event];
}

function plainGrant({ topic, filter }: ParsedGrant): Grant {
  return { topic, filter: filterObject(filter) };
}

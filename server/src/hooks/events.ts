import { BellwireError, filterObject, type Grant, type JsonObject, type ParsedGrant } from "@bellwire/protocol";
import { UNGRANTED } from "./hooks.js";
import type { HookEvent, HookQuestions, HookReplies, PlainReplies } from "./plain.js";
import { parseConnectReply, parsePublishReply, parseRefreshReply, parseRpcReply, parseSubscribeReply } from "./replies.js";
import { ungranted } from "./ungranted.js";

/** All that one event differs in from the others. */
export interface EventKind<Event extends HookEvent> {
  /** What a backend reads besides the asker's fields. @param params what the backend's pattern read from the topic */
  ask(question: HookQuestions[Event], params: Readonly<Record<string, string>>): JsonObject;
  /** @throws BadReply, or a BellwireError */
  parse(source: JsonObject, question: HookQuestions[Event]): HookReplies[Event];
  /** A reply as a function in the same process would have written it; default: as it is. */
  plain?(reply: HookReplies[Event]): PlainReplies[Event];
  /** What becomes of a question where interceptors look at it and nobody answers: as on a relay without hooks. @throws BellwireError */
  unasked(question: HookQuestions[Event]): HookReplies[Event];
  /** The reply where the backend is not there and the settings say to allow; absent: they can't. */
  fallback?(): HookReplies[Event];
  /** Whether identical questions may share one answer: those that do nothing. */
  readonly shared: boolean;
  /** What the question is about, and backends may be chosen by. */
  readonly by?: "topic" | "method";
  /** How a backend is asked unless it says otherwise; `timeout` in milliseconds. */
  readonly defaults: { readonly timeout: number; readonly retries: number };
}

const READING = { timeout: 2000, retries: 1 } as const;
const ACTING = { timeout: 2000, retries: 0 } as const;
/** How many seconds longer a connection lasts where the refresh hook is not there and failing means "allow". */
const ALLOWED_SECONDS = 60;

/** The questions that a relay asks. A new one is an entry here, with its types in `hooks.ts` and `plain.ts`, and its part of docs/hooks.md. */
export const EVENTS: { readonly [Event in HookEvent]: EventKind<Event> } = {
  connect: {
    ask: ({ data = null, claims }) => ({ data, ...(claims === undefined ? {} : { claims }) }),
    parse: parseConnectReply,
    plain: ({ subscriptions, grants, ...rest }) => ({
      ...(rest as Omit<PlainReplies["connect"], "subscriptions" | "grants">),
      subscriptions: subscriptions.map(plainGrant),
      grants: grants.map(plainGrant),
    }),
    unasked: ({ claims, user, session }) => {
      if (claims === undefined) return needsToken();
      return { user, session, info: undefined, until: undefined, subscriptions: [], grants: [] };
    },
    shared: false,
    defaults: READING,
  },
  refresh: {
    ask: () => ({}),
    parse: parseRefreshReply,
    plain: ({ until }) => ({ until: until ?? null }),
    unasked: needsToken,
    fallback: () => ({ until: Math.floor(Date.now() / 1000) + ALLOWED_SECONDS }),
    shared: true,
    defaults: READING,
  },
  subscribe: {
    ask: ({ topic, filter }, params) => ({ topic, filter, params }),
    parse: parseSubscribeReply,
    unasked: needsToken,
    fallback: () => ({ until: undefined, info: undefined }),
    shared: true,
    by: "topic",
    defaults: READING,
  },
  publish: {
    ask: ({ topic, data }, params) => ({ topic, params, data }),
    parse: parsePublishReply,
    unasked: (question) => {
      if (question[UNGRANTED] === true) throw ungranted();
      return { data: undefined, topic: undefined, handled: false };
    },
    fallback: () => ({ data: undefined, topic: undefined, handled: false }),
    shared: false,
    by: "topic",
    defaults: ACTING,
  },
  rpc: {
    ask: ({ method, data = null }) => ({ method, data }),
    parse: parseRpcReply,
    unasked: () => {
      throw new BellwireError("not-found", "There is no such method");
    },
    shared: false,
    by: "method",
    defaults: { ...ACTING, timeout: 30_000 },
  },
};

export const HOOK_EVENTS: readonly HookEvent[] = Object.keys(EVENTS) as HookEvent[];

/** One of something for each event. */
export function forEachEvent<Made extends { readonly [Event in HookEvent]: unknown }>(
  make: <Event extends HookEvent>(event: Event) => Made[Event],
): Made {
  return Object.fromEntries(HOOK_EVENTS.map((event) => [event, make(event)])) as unknown as Made;
}

function needsToken(): never {
  throw new BellwireError("token-missing", "A token is needed");
}

function plainGrant({ topic, filter }: ParsedGrant): Grant {
  return { topic, filter: filterObject(filter) };
}

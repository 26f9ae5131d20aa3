import type { IncomingMessage } from "node:http";
import type { Grant } from "@bellwire/protocol";
import { readEnabled, readText, type Environment } from "../environment.js";
import type { Identifier } from "../identifier.js";
import { parseKey, type Key } from "../key.js";
import { createReporter, type ErrorContext, type OnError } from "../reporter.js";
import type { TopicDefinition } from "../topics/define-topic.js";
import { createTopics, type Topics } from "../topics/create-topics.js";

/** A user: the id alone, or whatever object has one. An id that is an integer is used as text. */
export type UserLike = Identifier | { readonly id: Identifier };

/** Who a request comes from, and on which site. */
export interface Identity<User extends UserLike = UserLike> {
  readonly site: Identifier;
  /** Handed to `canSubscribe` as it is; its id goes into the tokens. Absent: a visitor, where `allowAnonymous` is on. */
  readonly user?: User | null | undefined;
  /** The session's id, so that it can be addressed and ended; don't use a secret such as the cookie's value. */
  readonly session?: Identifier | undefined;
  /** Shown to others where a topic has presence. */
  readonly info?: unknown;
  /** Epoch seconds: when the connection ends unless refreshed, e.g. the end of the session. */
  readonly until?: number | undefined;
}

export interface TokenEndpointOptions<User extends UserLike = UserLike> {
  /** Who asks; null: nobody is signed in, which answers 401. `req` is Node's request where `toNodeHandler` is in use. */
  readonly authenticate: (request: Request, req?: IncomingMessage) => Identity<User> | null | Promise<Identity<User> | null>;
  /** What may be subscribed, and by whom. */
  readonly topics: readonly TopicDefinition<User>[] | Topics<User>;
  /** The relays' APP_KEY. Default: `APP_KEY` of the environment. */
  readonly key?: string | undefined;
  /** The key's id, for relays that keep several for a site. */
  readonly kid?: string;
  /** The relay as browsers reach it, e.g. `wss://example.com/ws`. Default: `REALTIME_PUBLIC_URL` of the environment. */
  readonly url?: string | ((request: Request) => string) | undefined;
  /** False: every request is answered `{enabled: false}`. Default: `REALTIME_ENABLED` of the environment, which is true by default. */
  readonly enabled?: boolean | undefined;
  /** Seconds in which a token may be used. Default 60. */
  readonly ttl?: number;
  /** Whether visitors without a user get tokens. Default false. */
  readonly allowAnonymous?: boolean;
  /** What this identity may subscribe without asking again: goes into the connection token. Default: nothing. */
  readonly grants?: (identity: Identity<User>) => readonly Grant[] | Promise<readonly Grant[]>;
  /** What the relay subscribes for this identity on connect. Default: nothing. */
  readonly subscriptions?: (identity: Identity<User>) => readonly Grant[] | Promise<readonly Grant[]>;
  /** Milliseconds that each of these functions, and each `canSubscribe`, may take. Default 5000. */
  readonly timeout?: number;
  /** Told of what went wrong in them. Default: a console warning, at most once a minute. */
  readonly onError?: OnError;
}

export interface EndpointSettings<User extends UserLike> extends Omit<TokenEndpointOptions<User>, "topics" | "key"> {
  readonly topics: Topics<User>;
  readonly key: Key;
  readonly url: string | ((request: Request) => string);
  readonly timeout: number;
  readonly report: (error: unknown, context: ErrorContext) => void;
}

/** Checks the options; undefined where tokens are switched off. @throws TypeError */
export function readEndpointOptions<User extends UserLike>(
  options: TokenEndpointOptions<User>,
  env: Environment,
): EndpointSettings<User> | undefined {
  if (!(options.enabled ?? readEnabled(env))) return undefined;
  const key = options.key ?? readText(env, "APP_KEY");
  if (key === undefined) throw new TypeError("createTokenEndpoint needs key, or APP_KEY in the environment: the relays' key");
  const url = options.url ?? readText(env, "REALTIME_PUBLIC_URL");
  if (url === undefined)
    throw new TypeError("createTokenEndpoint needs url, or REALTIME_PUBLIC_URL in the environment, e.g. wss://example.com/ws");
  if (typeof url === "string" && !/^(ws|http)s?:\/\//.test(url))
    throw new TypeError(`url is like wss://example.com/ws, not ${JSON.stringify(url)}`);
  if (typeof options.authenticate !== "function") throw new TypeError("createTokenEndpoint needs authenticate(request)");
  const topics = isList(options.topics) ? createTopics(options.topics) : options.topics;
  return { ...options, key: parseKey(key), url, topics, timeout: options.timeout ?? 5000, report: createReporter(options.onError) };
}

// Array.isArray alone doesn't tell a readonly list from the rest.
function isList<User>(topics: readonly TopicDefinition<User>[] | Topics<User>): topics is readonly TopicDefinition<User>[] {
  return Array.isArray(topics);
}

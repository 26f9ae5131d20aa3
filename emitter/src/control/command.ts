import {
  asObject,
  BellwireError,
  codes,
  filterObject,
  isCode,
  isReservedTopic,
  isTopicPattern,
  isWellFormed,
  limits,
  parseFilter,
  parseSite,
  parseTopic,
  utf8Length,
  type Code,
  type Filter,
  type JsonObject,
  type Reason,
} from "@bellwire/protocol";
import { shown } from "../identifier.js";

/** Whom a command is about: the connections of one user, one session or one page load of a site; none of them: of everybody there. */
export interface Target {
  readonly user?: string;
  readonly session?: string;
  readonly client?: string;
}

/** Ends connections. What they may do then follows from the code's `retry`. */
export interface DisconnectCommand extends Target {
  readonly kind: "disconnect";
  readonly site: string;
  readonly code?: Code;
  readonly reason?: Reason;
}

/** Makes one subscription on each of the connections, under an id of the relay's. */
export interface SubscribeCommand extends Target {
  readonly kind: "subscribe";
  readonly site: string;
  readonly topic: string;
  readonly filter: Filter;
}

/** Ends the subscriptions that lie within a topic (or prefix ending in `*`) and filter; without a topic all of them. */
export interface UnsubscribeCommand extends Target {
  readonly kind: "unsubscribe";
  readonly site: string;
  readonly topic?: string;
  readonly filter?: Filter;
}

/**
 * Refuses tokens and tickets issued until now, and ends what they opened: connections, or with a topic (or prefix ending in `*`)
 * the subscriptions that could hear something of it. With a `jti`, of one token only.
 */
export interface RevokeCommand extends Target {
  readonly kind: "revoke";
  readonly site: string;
  readonly jti?: string;
  readonly topic?: string;
  readonly filter?: Filter;
}

export type Command = DisconnectCommand | SubscribeCommand | UnsubscribeCommand | RevokeCommand;
export type CommandKind = Command["kind"];

export const COMMAND_KINDS: readonly CommandKind[] = ["disconnect", "subscribe", "unsubscribe", "revoke"];

/** Length of a token's id in a command. */
export const JTI_LENGTH = 256;

/**
 * Reads a command from outside: an emitter's caller, the body of an HTTP request, or a payload from Redis. Unknown fields are
 * ignored and null counts as absent. Filters come back in canonical order, so that equal commands have equal texts.
 * @throws BellwireError `bad-request`, or `forbidden` for a topic that begins with $
 */
export function parseCommand(kind: unknown, site: unknown, body: unknown): Command {
  const source = asObject(body);
  if (source === undefined) throw refuse("A command is an object: {user, session or client, topic, filter}");
  const common = { site: parseSite(site), ...parseTarget(source) };
  switch (kind) {
    case "disconnect":
      requireTarget(common, "disconnect");
      // Read over, it would disconnect more than was meant.
      if (isGiven(source.topic) || isGiven(source.filter)) throw refuse("disconnect takes no topic: unsubscribe does");
      return { kind, ...common, ...parseWords(source) };
    case "subscribe":
      requireTarget(common, "subscribe");
      return { kind, ...common, topic: parseTopic(source.topic), filter: filterObject(parseFilter(source.filter)) };
    case "unsubscribe":
    case "revoke":
      return { kind, ...common, ...parseScope(kind, source, common) };
    default:
      throw refuse(`A command is one of ${COMMAND_KINDS.join(", ")}`);
  }
}

function parseTarget(source: JsonObject): Target {
  const user = parseText("user", source.user, limits.subjectBytes);
  const session = parseText("session", source.session, limits.subjectBytes);
  const client = parseText("client", source.client, limits.keyLength);
  if ([user, session, client].filter(isGiven).length > 1) throw refuse("A command names one of user, session and client, not several");
  return {
    ...(user === undefined ? {} : { user }),
    ...(session === undefined ? {} : { session }),
    ...(client === undefined ? {} : { client }),
  };
}

function requireTarget(target: Target, kind: CommandKind): void {
  if (!hasTarget(target)) throw refuse(`${kind} needs a user, a session or a client`);
}

function hasTarget({ user, session, client }: Target): boolean {
  return isGiven(user) || isGiven(session) || isGiven(client);
}

function parseScope(kind: "unsubscribe" | "revoke", source: JsonObject, target: Target): Pick<RevokeCommand, "jti" | "topic" | "filter"> {
  const jti = kind === "revoke" ? parseText("jti", source.jti, JTI_LENGTH) : undefined;
  const { topic } = source;
  if (!isGiven(topic)) {
    if (isGiven(source.filter)) throw refuse("A filter goes with a topic");
    if (!hasTarget(target) && jti === undefined) throw refuse(`${kind} needs a user, a session, a client or a topic`);
    return jti === undefined ? {} : { jti };
  }
  if (!isTopicPattern(topic)) throw refuse("A topic is 1 to 128 characters of A-Z a-z 0-9 _ . : $ -, or a prefix that ends in *");
  if (isReservedTopic(topic)) throw new BellwireError("forbidden", "Topics that begin with $ belong to the server");
  return { ...(jti === undefined ? {} : { jti }), topic, filter: filterObject(parseFilter(source.filter)) };
}

function parseWords({ code, reason }: JsonObject): Pick<DisconnectCommand, "code" | "reason"> {
  if (isGiven(code) && !isCode(code)) throw refuse(`code is one of ${Object.keys(codes).join(", ")}; codes of your own go into reason`);
  return { ...(isCode(code) ? { code } : {}), ...(isGiven(reason) ? { reason: parseReason(reason) } : {}) };
}

/** UTF-8 bytes of a reason's message. */
export const REASON_LENGTH = 1000;

function parseReason(value: unknown): Reason {
  const { code, message } = asObject(value) ?? {};
  const known = typeof code === "string" ? parseText("reason.code", code, limits.keyLength) : code;
  if (typeof known !== "string" && !(typeof known === "number" && Number.isFinite(known)))
    throw refuse("reason is {code, message?}: a string or number, and a text");
  const text = parseText("reason.message", message, REASON_LENGTH);
  return { code: known, ...(text === undefined ? {} : { message: text }) };
}

/** @param most UTF-8 bytes */
function parseText(name: string, value: unknown, most: number): string | undefined {
  if (!isGiven(value)) return undefined;
  if (typeof value === "string" && value !== "" && value.length <= most && utf8Length(value) <= most && isWellFormed(value)) return value;
  throw refuse(`${name} is a string of 1 to ${most} bytes, not ${shown(value)}`);
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function refuse(message: string): BellwireError {
  return new BellwireError("bad-request", message);
}

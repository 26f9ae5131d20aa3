import {
  asObject,
  BellwireError,
  isReservedTopic,
  isTopic,
  isWellFormed,
  limits,
  parseGrants,
  utf8Length,
  type JsonObject,
  type ParsedGrant,
  type Reason,
} from "@bellwire/protocol";
import {
  Disconnected,
  type ConnectQuestion,
  type ConnectReply,
  type PublishReply,
  type RefreshReply,
  type RpcReply,
  type SubscribeReply,
} from "./hooks.js";

/** A reply of the wrong shape. The message continues "The reply can't be used: ". */
export class BadReply extends Error {}

const MAX_DEPTH = 100;
const MAX_INFO = 16_384;
const MAX_REASON_CODE = 128;
const MAX_REASON_MESSAGE = 1000;
/** The year 10000 in epoch seconds: whatever lies beyond was meant as milliseconds. */
const FARTHEST = 253_402_300_800;
const NONE: readonly ParsedGrant[] = Object.freeze([]);

/**
 * The fields of a reply that answers the question.
 * @throws Disconnected for `{disconnect: {code, reason?}}`; BellwireError `rejected` or `forbidden` for `{error: {code, message?}}`; BadReply
 */
export function answerOf(reply: unknown): JsonObject {
  const source = asObject(reply);
  if (source === undefined) throw new BadReply("it is not an object");
  const { error, disconnect } = source;
  if (isGiven(disconnect)) {
    const { code, reason } = parts(disconnect, "disconnect is {code, reason}");
    throw new Disconnected(
      new BellwireError("forbidden", "The backend ended the connection", {
        reason: parseReason(code, reason, "disconnect is {code, reason}"),
      }),
    );
  }
  if (isGiven(error)) {
    const { code, message } = parts(error, "error is {code, message}");
    throw refusedFor(parseReason(code, message, "error is {code, message}"));
  }
  return source;
}

/**
 * What a client learns of a backend's no: `forbidden` where the backend says nothing more or uses that word itself, and `rejected`
 * where it has reasons of its own.
 */
export function refusedFor(reason?: Reason): BellwireError {
  if (reason === undefined || reason.code === "forbidden") return forbiddenFor(reason);
  return new BellwireError("rejected", "The backend refused this for a reason of its own", { reason });
}

/** A no that is about permission, whatever the backend's words are. */
export function forbiddenFor(reason?: Reason): BellwireError {
  return new BellwireError("forbidden", "The backend refused this", reason === undefined ? {} : { reason });
}

/** Admits a connection. A reply without `user` is taken where a token says who it is. */
export function parseConnectReply(source: JsonObject, question: Pick<ConnectQuestion, "claims" | "user" | "session">): ConnectReply {
  if (source.user === undefined && question.claims === undefined) {
    throw new BadReply("user is missing: a string, or null for an anonymous visitor");
  }
  return {
    user: source.user === undefined ? question.user : parseSubject(source.user, "user"),
    session: isGiven(source.session) ? parseSubject(source.session, "session") : question.session,
    info: parseInfo(source.info),
    until: parseUntil(source.until),
    subscriptions: parseList(source.subscriptions, "subscriptions").map(wholeTopic),
    grants: parseList(source.grants, "grants"),
  };
}

/** `until: null` says that the connection has no end any more; a reply without it says nothing. */
export function parseRefreshReply(source: JsonObject): RefreshReply {
  if (source.until === undefined) throw new BadReply("until is missing: epoch seconds, or null for no end");
  return { until: parseUntil(source.until) };
}

export function parseSubscribeReply(source: JsonObject): SubscribeReply {
  return { until: parseUntil(source.until), info: parseInfo(source.info) };
}

export function parsePublishReply({ data, topic, handled }: JsonObject): PublishReply {
  if (isGiven(handled) && typeof handled !== "boolean") throw new BadReply("handled is true or false");
  if (isGiven(topic) && (!isTopic(topic) || isReservedTopic(topic))) throw new BadReply("topic is no name of a topic");
  if (isGiven(data) && asObject(data) === undefined) throw new BadReply("data is not an object");
  return {
    data: isGiven(data) ? asObject(asJson(data, "data")) : undefined,
    topic: isGiven(topic) ? (topic as string) : undefined,
    handled: handled === true,
  };
}

/** A reply without `data` answers null. */
export function parseRpcReply({ data, status }: JsonObject): RpcReply {
  if (isGiven(status) && !(Number.isInteger(status) && (status as number) >= 100 && (status as number) <= 999)) {
    throw new BadReply("status is a whole number from 100 to 999");
  }
  return { status: isGiven(status) ? (status as number) : undefined, data: asJson(data ?? null, "data") };
}

/** PHP and others write null for what is not there. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function parts(value: unknown, shape: string): JsonObject {
  if (typeof value !== "object" || Array.isArray(value)) throw new BadReply(shape);
  return value as JsonObject;
}

function parseReason(code: unknown, message: unknown, shape: string): Reason {
  const usable = typeof code === "string" ? code.length <= MAX_REASON_CODE : typeof code === "number" && Number.isFinite(code);
  if (!usable || (isGiven(message) && typeof message !== "string")) throw new BadReply(shape);
  const reason = { code: code as string | number };
  return isGiven(message)
    ? { ...reason, message: (message as string).slice(0, MAX_REASON_MESSAGE).replace(/\p{Surrogate}/gu, "\ufffd") }
    : reason;
}

function parseSubject(value: unknown, name: string): string {
  if (value === null || value === "") return "";
  if (typeof value !== "string") throw new BadReply(`${name} is not a string`);
  if (value.length > limits.subjectBytes || utf8Length(value) > limits.subjectBytes || !isWellFormed(value)) {
    throw new BadReply(`${name} is longer than ${limits.subjectBytes} bytes or not valid Unicode`);
  }
  return value;
}

function parseUntil(value: unknown): number | undefined {
  if (!isGiven(value)) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) throw new BadReply("until is not a number of epoch seconds");
  if (value >= FARTHEST) throw new BadReply("until is in seconds, not milliseconds");
  if (value <= Date.now() / 1000) throw new BellwireError("token-expired", "The backend's until has passed");
  return value;
}

function parseInfo(value: unknown): unknown {
  if (!isGiven(value)) return undefined;
  const info = asJson(value, "info");
  if (JSON.stringify(info).length > MAX_INFO) throw new BadReply(`info is longer than ${MAX_INFO} characters`);
  return info;
}

function parseList(value: unknown, name: string): readonly ParsedGrant[] {
  if (!isGiven(value)) return NONE;
  try {
    return parseGrants(value);
  } catch (error) {
    throw new BadReply(`${name}: ${(error as Error).message}`);
  }
}

function wholeTopic(grant: ParsedGrant): ParsedGrant {
  if (!isTopic(grant.topic) || isReservedTopic(grant.topic)) throw new BadReply("subscriptions name one whole topic each");
  return grant;
}

/** A copy that can be written as JSON again: sockets do that where nobody could catch it. */
function asJson(value: unknown, name: string): unknown {
  let copy: unknown;
  try {
    copy = JSON.parse(JSON.stringify(value));
  } catch {
    throw new BadReply(`${name} can't be written as JSON`);
  }
  if (!isShallow(copy)) throw new BadReply(`${name} is nested deeper than ${MAX_DEPTH} levels`);
  return copy;
}

/** Whether a value that JSON was read as is nested little enough for everybody who writes it again. */
export function isShallow(value: unknown, depth: number = MAX_DEPTH): boolean {
  if (typeof value !== "object" || value === null) return true;
  return depth > 0 && Object.values(value).every((each) => isShallow(each, depth - 1));
}

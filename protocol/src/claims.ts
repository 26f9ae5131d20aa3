import { BellwireError } from "./codes.js";
import { parseGrant, parseGrants, type Grant, type ParsedGrant } from "./grants.js";
import { asObject, isWellFormed, utf8Length, type JsonObject } from "./json.js";
import { limits } from "./limits.js";
import { isReservedTopic, isSite, isTopic } from "./names.js";

export const CONNECT_AUDIENCE = "bellwire:connect";
export const SUBSCRIBE_AUDIENCE = "bellwire:subscribe";

/** The claims of a connection token as a backend writes them. Times are epoch seconds. */
export interface ConnectClaims {
  readonly aud: typeof CONNECT_AUDIENCE;
  readonly site: string;
  /** The user, 1 to 128 bytes of UTF-8; absent or empty: anonymous. */
  readonly sub?: string;
  /** The session. */
  readonly sid?: string;
  readonly iat: number;
  /** For the handshake only; 60 s after `iat` by default. */
  readonly exp: number;
  /** Not valid before it. */
  readonly nbf?: number;
  readonly jti?: string;
  /** The connection's end unless refreshed. */
  readonly until?: number;
  readonly info?: unknown;
  /** Subscriptions made on connect. */
  readonly subscriptions?: readonly Grant[];
  readonly grants?: readonly Grant[];
}

/** The claims of a subscribe token as a backend writes them: `grants`, or one `topic` and `filter`. */
export interface SubscribeClaims {
  readonly aud: typeof SUBSCRIBE_AUDIENCE;
  readonly site: string;
  /** Must equal the connection's user. */
  readonly sub?: string;
  /** Must equal the connection's session where the user is anonymous. */
  readonly sid?: string;
  readonly iat: number;
  readonly exp: number;
  readonly nbf?: number;
  readonly jti?: string;
  /** The subscriptions' end, enforced while open. */
  readonly until?: number;
  readonly grants?: readonly Grant[];
  readonly topic?: string;
  readonly filter?: Grant["filter"];
}

/** Whom a connection belongs to: what tokens and tickets are bound to. Empty strings stand for "none". */
export interface Identity {
  readonly site: string;
  readonly user: string;
  readonly session: string;
}

export interface ConnectPermit extends Identity {
  readonly iat: number;
  readonly jti: string | undefined;
  readonly until: number | undefined;
  readonly info: unknown;
  readonly subscriptions: readonly ParsedGrant[];
  readonly grants: readonly ParsedGrant[];
}

export interface SubscribePermit {
  readonly iat: number;
  readonly jti: string | undefined;
  readonly until: number | undefined;
  readonly grants: readonly ParsedGrant[];
}

// One for all: permits live as long as their connections, and most hold none.
const NONE: readonly ParsedGrant[] = Object.freeze([]);

/** How far in the future an `iat` or `nbf` may lie, in seconds: clocks of backend and relay differ a little. */
const CLOCK_TOLERANCE = 60;

/**
 * Reads the payload of a connection token whose signature holds.
 * @param site the site of the namespace that the client asked for
 * @param now epoch seconds
 * @throws BellwireError `token-invalid`, `token-expired` or `wrong-site`
 */
export function parseConnectClaims(payload: unknown, site: string, now: number): ConnectPermit {
  const claims = parseCommon(payload, CONNECT_AUDIENCE, site, now);
  return {
    site,
    user: claims.user,
    session: claims.session,
    iat: claims.iat,
    jti: claims.jti,
    until: claims.until,
    info: claims.source.info,
    subscriptions: orInvalid("subscriptions", () => parseSubscriptions(claims.source.subscriptions)),
    grants: claims.source.grants === undefined ? NONE : orInvalid("grants", () => parseGrants(claims.source.grants)),
  };
}

/**
 * Reads the payload of a subscribe token whose signature holds, for use on one connection.
 * `isBearer`: the connection is nothing but its token, and so needs no session to call that its own.
 * @throws BellwireError `token-invalid`, `token-expired`, `wrong-site`, or `forbidden` where it was issued to somebody else
 */
export function parseSubscribeClaims(payload: unknown, connection: Identity, now: number, isBearer = false): SubscribePermit {
  const { user, session, ...permit } = readSubscribeClaims(payload, connection.site, now);
  if (user !== connection.user) throw new BellwireError("forbidden", "The subscribe token was issued to another user");
  // Without a user only the session tells two visitors apart, and where there is none either, nothing does.
  if (connection.user === "" && connection.session === "" && !isBearer) {
    throw new BellwireError("forbidden", "An anonymous visitor needs a session to use a subscribe token: put a sid into both tokens");
  }
  if (connection.user === "" && session !== connection.session) {
    throw new BellwireError("forbidden", "The subscribe token was issued to another session");
  }
  return permit;
}

/**
 * The same where nobody is known yet whom it would have to be issued to.
 * @throws BellwireError `token-invalid`, `token-expired` or `wrong-site`
 */
export function readSubscribeClaims(payload: unknown, site: string, now: number): SubscribePermit & Omit<Identity, "site"> {
  const { user, session, iat, jti, until, source } = parseCommon(payload, SUBSCRIBE_AUDIENCE, site, now);
  const grants = orInvalid("grants", () => (source.grants === undefined ? [parseGrant(source)] : parseGrants(source.grants)));
  return { user, session, iat, jti, until, grants };
}

interface Common {
  readonly source: JsonObject;
  readonly user: string;
  readonly session: string;
  readonly iat: number;
  readonly jti: string | undefined;
  readonly until: number | undefined;
}

function parseCommon(payload: unknown, audience: string, site: string, now: number): Common {
  const source = asObject(payload);
  if (source === undefined) throw invalid(`The token's payload is ${describe(payload)}: it must be an object`);
  const { aud, iat, exp, until, nbf, jti } = source;
  if (aud !== audience && !(Array.isArray(aud) && aud.includes(audience))) throw wrong("aud", aud, `be ${audience}`);
  if (!isSite(source.site)) throw wrong("site", source.site, "be a string, the name of a site");
  if (!isTime(iat)) throw wrong("iat", iat, "be a number of epoch seconds");
  if (!isTime(exp)) throw wrong("exp", exp, "be a number of epoch seconds");
  if (isGiven(until) && !isTime(until)) throw wrong("until", until, "be a number of epoch seconds");
  if (isGiven(nbf) && !isTime(nbf)) throw wrong("nbf", nbf, "be a number of epoch seconds");
  if (isGiven(jti) && typeof jti !== "string") throw wrong("jti", jti, "be a string");
  const user = parseSubject(source.sub, "sub");
  const session = parseSubject(source.sid, "sid");
  if (iat > now + CLOCK_TOLERANCE) {
    throw invalid(`The token's iat lies in the future: check the backend's clock, and that it is in seconds (${times(source, now)})`);
  }
  if (isTime(nbf) && nbf > now + CLOCK_TOLERANCE) {
    throw invalid(`The token is not valid yet, by its nbf: check the backend's clock (${times(source, now)})`);
  }
  if (source.site !== site) throw new BellwireError("wrong-site", "The token was issued for another site");
  if (exp <= now) {
    const clocks = "if it was fresh, the backend's clock is behind the relay's, or the relay's ahead";
    throw new BellwireError("token-expired", `The token has expired: get a new one; ${clocks} (${times(source, now)})`);
  }
  if (isTime(until) && until <= now) throw new BellwireError("token-expired", `The token's until has passed (${times(source, now)})`);
  return { source, user, session, iat, jti: isGiven(jti) ? jti : undefined, until: isTime(until) ? until : undefined };
}

function parseSubject(value: unknown, name: string): string {
  if (!isGiven(value) || value === "") return "";
  if (typeof value !== "string") throw wrong(name, value, "be a string");
  if (value.length > limits.subjectBytes || utf8Length(value) > limits.subjectBytes || !isWellFormed(value)) {
    throw wrong(name, value, `be valid Unicode of 1 to ${limits.subjectBytes} bytes`);
  }
  return value;
}

function parseSubscriptions(value: unknown): readonly ParsedGrant[] {
  if (value === undefined) return NONE;
  return parseGrants(value).map((grant) => {
    if (!isTopic(grant.topic) || isReservedTopic(grant.topic)) throw invalid("A subscription in a token names one whole topic");
    return grant;
  });
}

function orInvalid<T>(claim: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw invalid(`The token's ${claim} can't be used: ${(error as Error).message}`);
  }
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

/** Null is what some languages write for what is not there. */
function isGiven<T>(value: T): value is NonNullable<T> {
  return value !== undefined && value !== null;
}

/** A claim that can't be used, with what it is, so that nobody has to guess which backend wrote it how. */
function wrong(claim: string, value: unknown, must: string): BellwireError {
  return invalid(
    value === undefined
      ? `The token has no ${claim}: it must ${must}`
      : `The token's claim ${claim} is ${describe(value)}: it must ${must}`,
  );
}

/** Characters of a value that are shown: enough to recognise it, too few for a secret. */
const SHOWN = 24;

/** What a value is, for whoever wrote it. Texts stand in quotes, so that a log can leave them out. */
function describe(value: unknown): string {
  if (typeof value === "string") return `the text ${JSON.stringify(value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value)}`;
  if (typeof value === "number") return `the number ${value}`;
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

/** The times that a judgement rests on, as they are by the relay's clock: a wrong clock shows in them. */
function times({ iat, exp, nbf, until }: JsonObject, now: number): string {
  const named = Object.entries({ iat, nbf, exp, until }).flatMap(([name, time]) => (isTime(time) ? `${name} ${distance(time, now)}` : []));
  return `by the relay's clock ${named.join(", ")}`;
}

/** A few seconds tell nothing of clocks, and two refusals of one kind are to have the same words. */
const MOMENT = 10;

function distance(time: number, now: number): string {
  if (Math.abs(time - now) < MOMENT) return "just now";
  return time > now ? `in ${Math.ceil(time - now)} s` : `${Math.floor(now - time)} s ago`;
}

function invalid(message: string): BellwireError {
  return new BellwireError("token-invalid", message);
}

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

/** How far in the future an `iat` may lie, in seconds: clocks of backend and relay differ a little. */
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
    subscriptions: orInvalid(() => parseSubscriptions(claims.source.subscriptions)),
    grants: claims.source.grants === undefined ? NONE : orInvalid(() => parseGrants(claims.source.grants)),
  };
}

/**
 * Reads the payload of a subscribe token whose signature holds, for use on one connection.
 * @throws BellwireError `token-invalid`, `token-expired`, `wrong-site`, or `forbidden` where it was issued to somebody else
 */
export function parseSubscribeClaims(payload: unknown, connection: Identity, now: number): SubscribePermit {
  const claims = parseCommon(payload, SUBSCRIBE_AUDIENCE, connection.site, now);
  if (claims.user !== connection.user) throw new BellwireError("forbidden", "The subscribe token was issued to another user");
  // Without a user only the session tells two visitors apart.
  if (connection.user === "" && claims.session !== connection.session) {
    throw new BellwireError("forbidden", "The subscribe token was issued to another session");
  }
  const { source } = claims;
  const grants = orInvalid(() => (source.grants === undefined ? [parseGrant(source)] : parseGrants(source.grants)));
  return { iat: claims.iat, jti: claims.jti, until: claims.until, grants };
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
  if (source === undefined) throw invalid("The token's payload is not an object");
  const { aud, iat, exp, until, jti } = source;
  if (aud !== audience && !(Array.isArray(aud) && aud.includes(audience))) throw invalid(`The token's aud is not "${audience}"`);
  if (!isSite(source.site)) throw invalid("The token's site is not a site name; it must be a string");
  if (!isTime(iat)) throw invalid("The token has no iat; it must be a number of epoch seconds");
  if (!isTime(exp)) throw invalid("The token has no exp; it must be a number of epoch seconds");
  if (until !== undefined && until !== null && !isTime(until)) throw invalid("The token's until is not a number of epoch seconds");
  if (iat > now + CLOCK_TOLERANCE) throw invalid("The token's iat lies in the future: check the backend's clock");
  const user = parseSubject(source.sub, "sub");
  const session = parseSubject(source.sid, "sid");
  if (source.site !== site) throw new BellwireError("wrong-site", "The token was issued for another site");
  if (exp <= now) throw new BellwireError("token-expired", "The token has expired");
  if (isTime(until) && until <= now) throw new BellwireError("token-expired", "The token's until has passed");
  return { source, user, session, iat, jti: typeof jti === "string" ? jti : undefined, until: isTime(until) ? until : undefined };
}

function parseSubject(value: unknown, name: string): string {
  if (value === undefined || value === null || value === "") return "";
  if (typeof value !== "string") throw invalid(`The token's ${name} is not a string`);
  if (value.length > limits.subjectBytes || utf8Length(value) > limits.subjectBytes || !isWellFormed(value)) {
    throw invalid(`The token's ${name} is longer than ${limits.subjectBytes} bytes or not valid Unicode`);
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

function orInvalid<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw invalid(`The token's grants can't be used: ${(error as Error).message}`);
  }
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function invalid(message: string): BellwireError {
  return new BellwireError("token-invalid", message);
}

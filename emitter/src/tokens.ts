import { SignJWT, type JWTPayload } from "jose";
import { BellwireError, CONNECT_AUDIENCE, limits, parseGrants, SUBSCRIBE_AUDIENCE, type Grant } from "@bellwire/protocol";
import { parseSiteId, parseSubject, type Identifier } from "./identifier.js";
import { parseKey, type Key } from "./key.js";

interface TokenClaims {
  /** An integer is written as text, here and below. */
  readonly site: Identifier;
  /** The user's id, 1 to 128 bytes of UTF-8; absent or "": anonymous. */
  readonly user?: Identifier | undefined;
  /** The session's id, likewise. */
  readonly session?: Identifier | undefined;
  /** Seconds in which the token may be used; default 60. */
  readonly ttl?: number | undefined;
  /** Epoch seconds: when what the token opened ends, unless refreshed. */
  readonly until?: number | undefined;
}

/** What a connection token says. */
export interface ConnectTokenClaims extends TokenClaims {
  /** Shown to others where a topic has presence. */
  readonly info?: unknown;
  /** Subscriptions that the relay makes on connect. */
  readonly subscriptions?: readonly Grant[] | undefined;
  /** What may be subscribed without a further token. */
  readonly grants?: readonly Grant[] | undefined;
}

/** What a subscribe token says. `user` must be the connection's; for visitors without one `session` must. */
export interface SubscribeTokenClaims extends TokenClaims {
  readonly grants: readonly Grant[];
}

export interface MintOptions {
  /** The key's id, for relays that keep several for the site. Default: none. */
  readonly kid?: string | undefined;
}

/**
 * Signs a token that opens a connection to one site.
 * @param key an `APP_KEY` as text, or what `parseKey` made of it
 * @throws BellwireError `bad-request` for claims that a relay would refuse, `too-large`; TypeError for a key that is too short
 */
export async function mintConnectToken(key: string | Key, claims: ConnectTokenClaims, options: MintOptions = {}): Promise<string> {
  const { info, subscriptions, grants } = claims;
  const payload = {
    ...common(CONNECT_AUDIENCE, claims),
    ...(info === undefined || info === null ? {} : { info }),
    ...(subscriptions === undefined ? {} : { subscriptions: checked(subscriptions) }),
    ...(grants === undefined ? {} : { grants: checked(grants) }),
  };
  return sign(key, payload, options);
}

/** Signs a token that allows subscriptions on the same user's connection. Parameters and errors as for `mintConnectToken`. */
export async function mintSubscribeToken(key: string | Key, claims: SubscribeTokenClaims, options: MintOptions = {}): Promise<string> {
  return sign(key, { ...common(SUBSCRIBE_AUDIENCE, claims), grants: checked(claims.grants) }, options);
}

function common(aud: string, { site, user, session, ttl = 60, until }: TokenClaims): JWTPayload {
  if (!(typeof ttl === "number" && ttl > 0 && Number.isFinite(ttl))) throw refuse("A token's ttl is a positive number of seconds");
  if (until !== undefined && !(typeof until === "number" && Number.isFinite(until))) throw refuse("until is a number of epoch seconds");
  // Fractions, so that a revocation can tell the tokens of one second apart.
  const iat = Date.now() / 1000;
  const sub = parseSubject(user, "user");
  const sid = parseSubject(session, "session");
  return {
    aud,
    site: parseSiteId(site),
    ...(sub === undefined ? {} : { sub }),
    ...(sid === undefined ? {} : { sid }),
    iat,
    exp: Math.ceil(iat + ttl),
    ...(until === undefined ? {} : { until }),
  };
}

function checked(grants: readonly Grant[]): readonly Grant[] {
  parseGrants(grants);
  return grants;
}

async function sign(key: string | Key, payload: JWTPayload, { kid }: MintOptions): Promise<string> {
  const bytes = (typeof key === "string" ? parseKey(key) : key).sign;
  let token: string;
  try {
    token = await new SignJWT(payload).setProtectedHeader({ alg: "HS256", typ: "JWT", ...(kid === undefined ? {} : { kid }) }).sign(bytes);
  } catch (error) {
    throw new BellwireError("bad-request", "A token's info can't be written as JSON", { cause: error });
  }
  if (token.length <= limits.tokenLength) return token;
  throw new BellwireError(
    "too-large",
    `The token has ${token.length} characters, and at most ${limits.tokenLength} are allowed: fewer grants, or less info`,
  );
}

function refuse(message: string): BellwireError {
  return new BellwireError("bad-request", message);
}

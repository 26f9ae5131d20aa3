import { BellwireError, filterObject, limits, utf8Length, type Filter, type WireError } from "@bellwire/protocol";
import { mintSubscribeToken, type SubscribeTokenClaims } from "../tokens.js";
import type { EndpointSettings, UserLike } from "./options.js";
import { decide, type Verdict } from "./permissions.js";
import { splitGrants } from "./split-grants.js";

/** What the endpoint answers about one pair, as it was asked. */
export interface SubscriptionResult {
  readonly topic: unknown;
  readonly filter: unknown;
  /** Which of `subscribeTokens` covers it; absent: the first. */
  readonly token?: number;
  /** Beside `token` it is for clients that know of one token only. */
  readonly error?: WireError;
}

export interface Granted {
  /** In the order of the request. */
  readonly results: readonly SubscriptionResult[];
  /** The first of them. Absent where nothing is allowed. */
  readonly subscribeToken?: string;
  /** Absent where there is one only. */
  readonly subscribeTokens?: readonly string[];
}

/** What the claims of the tokens are made of. */
export interface Asking extends Omit<SubscribeTokenClaims, "grants"> {
  readonly site: string;
  readonly user: string | undefined;
  readonly session: string | undefined;
}

/** Decides on a list of pairs and puts what is allowed into one token, or several where one is too small. */
export async function grantSubscriptions<User extends UserLike>(
  subscriptions: readonly unknown[],
  who: Asking,
  user: User | null,
  settings: EndpointSettings<User>,
): Promise<Granted> {
  const asker = { site: who.site, user: user as User, session: who.session };
  const verdicts = await decide(subscriptions, asker, settings);
  const allowed = verdicts.flatMap((verdict, i) => (verdict instanceof BellwireError ? [] : [{ ...verdict, place: i }]));
  const { tokens, tooLarge } = splitGrants(allowed, roomForGrants(who, settings.kid));
  const placeOf = (pair: number): number => (allowed[pair] as { place: number }).place;
  const tokenOf = new Map(tokens.flatMap(({ pairs }, n) => pairs.map((pair) => [placeOf(pair), n] as const)));
  const homeless = new Set(tooLarge.map(placeOf));
  const results = verdicts.map((verdict, i) => resultOf(homeless.has(i) ? TOO_LARGE : verdict, subscriptions[i], tokenOf.get(i)));
  const signed: string[] = [];
  for (const { grants, pairs } of tokens) {
    // A token has one end for all: the earliest. Those that may stay longer are refreshed then.
    const ends = pairs.flatMap((pair) => allowed[pair]?.until ?? []);
    const until = ends.length === 0 ? who.until : Math.min(...ends, who.until ?? Infinity);
    signed.push(await mintSubscribeToken(settings.key, { ...who, until, grants }, settings));
  }
  const [subscribeToken] = signed;
  if (subscribeToken === undefined) return { results };
  return { results, subscribeToken, ...(signed.length === 1 ? {} : { subscribeTokens: signed }) };
}

const IN_ANOTHER = new BellwireError("limit", "No room in the first token: use the one that `token` counts to, or ask for this one again");
const TOO_LARGE = new BellwireError("too-large", "This filter is too large for a token: subscribe with fewer values, or shorter ones");
// Audience, times and punctuation.
const OTHER_CLAIMS = 400;

/** Bytes of JSON that one token has for grants: its text is 4 characters for 3 bytes, and holds a header and a signature too. */
function roomForGrants({ site, user, session }: Asking, kid: string | undefined): number {
  return Math.floor((limits.tokenLength * 3) / 4) - OTHER_CLAIMS - utf8Length(JSON.stringify([site, user, session, kid]));
}

function resultOf(verdict: Verdict, asked: unknown, token: number | undefined): SubscriptionResult {
  const { topic = null, filter = {} } = (typeof asked === "object" && asked !== null ? asked : {}) as { topic?: unknown; filter?: unknown };
  if (verdict instanceof BellwireError) return { topic, filter, error: verdict.toJSON() };
  const granted = { topic: verdict.topic, filter: filterObject(verdict.filter) satisfies Filter };
  return token === undefined || token === 0 ? granted : { ...granted, token, error: IN_ANOTHER.toJSON() };
}

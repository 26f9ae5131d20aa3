import { BellwireError, filterObject, limits, type Filter, type Grant, type WireError } from "@bellwire/protocol";
import { mintSubscribeToken, type SubscribeTokenClaims } from "../tokens.js";
import { mergeGrants, type Pair } from "./merge-grants.js";
import type { EndpointSettings, UserLike } from "./options.js";
import { decide, type Verdict } from "./permissions.js";

/** What the endpoint answers about one pair, as it was asked. */
export interface SubscriptionResult {
  readonly topic: unknown;
  readonly filter: unknown;
  readonly error?: WireError;
}

export interface Granted {
  /** In the order of the request. */
  readonly results: readonly SubscriptionResult[];
  /** Absent where nothing is allowed. */
  readonly subscribeToken?: string;
}

/** Decides on a list of pairs and puts what is allowed into one token. */
export async function grantSubscriptions<User extends UserLike>(
  subscriptions: readonly unknown[],
  who: Omit<SubscribeTokenClaims, "grants">,
  user: User | null,
  settings: EndpointSettings<User>,
): Promise<Granted> {
  const asker = { site: who.site, user: user as User, session: who.session };
  const verdicts = await decide(subscriptions, asker, settings);
  const { grants, left } = intoOneToken(verdicts);
  const results = verdicts.map((verdict, i) => resultOf(left.has(i) ? TOKEN_FULL : verdict, subscriptions[i]));
  if (grants.length === 0) return { results };
  // The token has one end for all: the earliest. Those that may stay longer are refreshed then.
  const ends = verdicts.flatMap((verdict) => (verdict instanceof BellwireError || verdict.until === undefined ? [] : [verdict.until]));
  const until = ends.length === 0 ? who.until : Math.min(...ends, who.until ?? Infinity);
  return { results, subscribeToken: await mintSubscribeToken(settings.key, { ...who, until, grants }, settings) };
}

const TOKEN_FULL = new BellwireError("limit", "No room in this token: ask for this one again, with fewer others");
// A token's text is 4 characters for 3 bytes; the rest is for its other claims and the signature.
const GRANTS_BYTES = Math.floor((limits.tokenLength * 3) / 4) - 1024;

/** Merges what is allowed into as many grants as one token holds; `left` are the places of those that didn't fit. */
function intoOneToken(verdicts: readonly Verdict[]): { grants: Grant[]; left: Set<number> } {
  const allowed = verdicts.flatMap((verdict, i) =>
    verdict instanceof BellwireError ? [] : [{ ...verdict, place: i } satisfies Pair & { place: number }],
  );
  const grants: Grant[] = [];
  const left = new Set<number>();
  let room = GRANTS_BYTES;
  for (const { grant, pairs } of mergeGrants(allowed)) {
    const bytes = Buffer.byteLength(JSON.stringify(grant)) + 1;
    if (bytes <= room && grants.length < limits.grants) {
      room -= bytes;
      grants.push(grant);
    } else for (const pair of pairs) left.add((allowed[pair] as { place: number }).place);
  }
  return { grants, left };
}

function resultOf(verdict: Verdict, asked: unknown): SubscriptionResult {
  const { topic = null, filter = {} } = (typeof asked === "object" && asked !== null ? asked : {}) as { topic?: unknown; filter?: unknown };
  if (verdict instanceof BellwireError) return { topic, filter, error: verdict.toJSON() };
  return { topic: verdict.topic, filter: filterObject(verdict.filter) satisfies Filter };
}

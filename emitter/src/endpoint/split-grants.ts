import { limits, utf8Length, type Grant } from "@bellwire/protocol";
import { mergeGrants, type Pair } from "./merge-grants.js";

/** Grants for one token. */
export interface TokenGrants {
  readonly grants: readonly Grant[];
  /** The pairs that they cover, by place. */
  readonly pairs: readonly number[];
}

export interface SplitGrants {
  readonly tokens: readonly TokenGrants[];
  /** The pairs that no token has room for, by place. */
  readonly tooLarge: readonly number[];
}

interface Filling {
  readonly grants: Grant[];
  readonly pairs: number[];
  room: number;
}

/**
 * Distributes what is allowed over as few tokens as it takes: one, for most pages.
 * @param room bytes of JSON that one token has for its grants
 */
export function splitGrants(allowed: readonly Pair[], room: number): SplitGrants {
  const tokens: Filling[] = [];
  const tooLarge: number[] = [];
  for (const { grant, pairs } of mergeGrants(allowed)) {
    const bytes = utf8Length(JSON.stringify(grant)) + 1;
    if (bytes > room) {
      tooLarge.push(...pairs);
      continue;
    }
    let token = tokens.find((one) => bytes <= one.room && one.grants.length < limits.grants);
    if (token === undefined) tokens.push((token = { grants: [], pairs: [], room }));
    token.grants.push(grant);
    token.pairs.push(...pairs);
    token.room -= bytes;
  }
  return { tokens, tooLarge };
}

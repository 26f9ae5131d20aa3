import {
  filtersOverlap,
  grantCovers,
  isReservedTopic,
  isTopicPattern,
  parseFilter,
  topicMatches,
  type ParsedFilter,
} from "@bellwire/protocol";
import type { RevokeCommand, SubscribeCommand, Target, UnsubscribeCommand } from "./command.js";

/** How long subscriptions that the server made are kept for an owner that nobody uses, in milliseconds: at least this, and a quarter more. */
export const HELD_LIFE_MS: number = 24 * 3600 * 1000;

/** Subscriptions kept for one owner. Past it a further one is refused with `limit`. */
export const MAX_HELD = 1000;

/** Ends kept for one owner, and for everybody on a site. Past it the oldest `unsubscribe` is forgotten, never a `revoke`. */
export const MAX_ENDS = 1000;

/** Whom a subscription was made for. */
export type OwnerKind = keyof Target;

export const OWNER_KINDS: readonly OwnerKind[] = ["user", "session", "client"];

export interface Owner {
  readonly kind: OwnerKind;
  readonly id: string;
}

/** A subscription that the server made for an owner. */
export interface Held {
  readonly topic: string;
  readonly filter: ParsedFilter;
  readonly owner: OwnerKind;
  /** When it was made, microseconds since 1970 by the store's clock; rises with each command on the site. */
  readonly stamp: number;
}

/** An `unsubscribe`, or a `revoke` of more than one token. */
export interface End {
  /** A topic, or a prefix that ends in `*`. */
  readonly topic: string;
  readonly filter: ParsedFilter;
  /** True: ends what could hear something of it; false: what lies within it. */
  readonly wide: boolean;
  /** As of `Held`. */
  readonly stamp: number;
}

/** The one owner that a command names; undefined: everybody on the site. */
export function ownerOf(target: Target): Owner | undefined {
  for (const kind of OWNER_KINDS) {
    const id = target[kind];
    if (id !== undefined) return { kind, id };
  }
  return undefined;
}

/** Who a connection is: each of its owners. */
export function ownersOf(target: Target): Owner[] {
  return OWNER_KINDS.flatMap((kind) => {
    const id = target[kind];
    return id === undefined || id === "" ? [] : [{ kind, id }];
  });
}

/** A subscription as it is stored: equal ones have one text. A topic holds no brace, so it can be read in one way only. */
export function heldText({ topic, filter }: Pick<SubscribeCommand, "topic" | "filter">): string {
  return topic + parseFilter(filter).canonical;
}

/** An end as it is stored; undefined for a command that ends no subscriptions of the server's: the revocation of one token. */
export function endText(command: UnsubscribeCommand | RevokeCommand): string | undefined {
  if (command.kind === "revoke" && command.jti !== undefined) return undefined;
  // Reserved topics are covered by no pattern: personal ones stay.
  return (command.kind === "revoke" ? "r" : "u") + heldText({ topic: command.topic ?? "*", filter: command.filter ?? {} });
}

/** Reads what a store holds; anybody may have written there. Undefined for what is none. */
export function parseHeld(text: string, stamp: number, owner: OwnerKind): Held | undefined {
  const parsed = parseText(text, stamp);
  return parsed === undefined || parsed.topic.endsWith("*") ? undefined : { ...parsed, owner, stamp };
}

/** As `parseHeld`. */
export function parseEnd(text: string, stamp: number): End | undefined {
  const kind = text.charAt(0);
  const parsed = kind === "u" || kind === "r" ? parseText(text.slice(1), stamp) : undefined;
  return parsed === undefined ? undefined : { ...parsed, wide: kind === "r", stamp };
}

function parseText(text: string, stamp: number): { topic: string; filter: ParsedFilter } | undefined {
  const at = text.indexOf("{");
  const topic = text.slice(0, Math.max(0, at));
  if (!isTopicPattern(topic) || isReservedTopic(topic) || Number.isNaN(stamp)) return undefined;
  try {
    return { topic, filter: parseFilter(JSON.parse(text.slice(at))) };
  } catch {
    return undefined;
  }
}

/** Does it end this subscription, whenever that was made? */
export function endCovers(end: Pick<End, "topic" | "filter" | "wide">, topic: string, filter: ParsedFilter): boolean {
  if (!end.wide) return grantCovers(end, topic, filter);
  return topicMatches(end.topic, topic) && filtersOverlap(end.filter, filter);
}

/** Was this subscription ended after it was made? */
export function hasEnded({ topic, filter, stamp }: Held, ends: readonly End[]): boolean {
  return ends.some((end) => end.stamp > stamp && endCovers(end, topic, filter));
}

/** What counts for one connection: what its owners hold, and what ends it. */
export interface Standing {
  /** In the order of their commands, each topic and filter once, without what has ended. */
  readonly held: readonly Held[];
  readonly ends: readonly End[];
}

/** @param all what the owners of one connection hold @param ends what was ended for them, and for everybody */
export function standingOf(all: readonly Held[], ends: readonly End[]): Standing {
  const held = new Map<string, Held>();
  for (const one of all.filter((each) => !hasEnded(each, ends)).sort((a, b) => a.stamp - b.stamp)) {
    const name = one.topic + one.filter.canonical;
    held.delete(name); // the latest one counts, at its place
    held.set(name, one);
  }
  return { held: [...held.values()], ends };
}

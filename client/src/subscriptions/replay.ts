import { BellwireError, isEpoch, isOffset, type Position } from "@bellwire/protocol";

/**
 * Which message from before it began a new subscription is told: the topic's last matching one (true), none (false), or only one
 * that is at most `maxAge` milliseconds old, or younger than the page's own load (`"page"`).
 */
export type Replay = boolean | "page" | { readonly maxAge: number };

const loaded = Math.floor(
  (globalThis as { readonly performance?: { readonly timeOrigin?: number } }).performance?.timeOrigin ?? Date.now(),
);

/**
 * How old a replayed message may be at this moment, in milliseconds; below 0: none is wanted.
 * @param more milliseconds added to the age of the page
 */
export function oldest(replay: Replay, more = 0): number {
  if (replay === "page") return Date.now() - loaded + more;
  if (typeof replay === "object") return replay.maxAge;
  return replay ? Infinity : -1;
}

/** @throws BellwireError `bad-request` */
export function checkReplay(replay: unknown): Replay {
  if (replay === undefined || replay === null) return true;
  if (typeof replay === "boolean" || replay === "page") return replay;
  const { maxAge } = replay as { maxAge?: unknown };
  if (typeof maxAge === "number" && maxAge >= 0) return { maxAge };
  throw new BellwireError("bad-request", 'replay is true, false, "page" or {maxAge: milliseconds}');
}

/** @throws BellwireError `bad-request` */
export function checkSince(since: unknown): Position | undefined {
  if (since === undefined || since === null) return undefined;
  const { epoch, offset } = since as Partial<Position>;
  if (isEpoch(epoch) && isOffset(offset)) return { epoch, offset };
  throw new BellwireError("bad-request", "since is a position {epoch, offset}, as the backend's positions tell it");
}

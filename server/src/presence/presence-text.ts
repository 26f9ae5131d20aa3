import { utf8Length, type PresenceUser } from "@bellwire/protocol";
import type { MemberChange, PresenceSnapshot } from "../stores/presence.js";

/** Whether a topic has presence, and whether its users are listed or only counted. */
export type PresenceMode = "list" | "count";

/** Who is present. */
export interface Present {
  readonly users: readonly PresenceUser[];
  /** All, the anonymous among them. */
  readonly count: number;
  /** There are more users than are listed. */
  readonly incomplete?: true;
}

/** Bytes of one user's info as JSON; longer ones are left out. */
export const MAX_INFO_BYTES = 2048;
// Characters of one list: a client that has not read it yet must not pass for one that reads too slowly.
const MAX_LIST_LENGTH = 524_288;
/** Users named in one change; past it only the count is told. */
export const MAX_NAMED = 200;

/** A user's info as JSON text; "" where there is none, or none that can be shown. */
export function infoText(info: unknown): string {
  if (info === undefined || info === null) return "";
  try {
    const text = JSON.stringify(info) as string | undefined;
    return text === undefined || utf8Length(text) > MAX_INFO_BYTES ? "" : text;
  } catch {
    return "";
  }
}

/** What a store gave as info; it may be anybody's text. */
function parseInfo(text: string): { info?: unknown } {
  if (text === "") return {};
  try {
    return { info: JSON.parse(text) as unknown };
  } catch {
    return {};
  }
}

export function toPresent(snapshot: PresenceSnapshot, listed: number): Present {
  const users: PresenceUser[] = [];
  let length = 0;
  for (const [user, info] of snapshot.users) {
    length += user.length + info.length + 24;
    if (length > MAX_LIST_LENGTH) break;
    users.push({ user, ...parseInfo(info) });
  }
  const all = users.length === snapshot.users.length && snapshot.users.length < listed;
  // A user that left between two of its relays' ends may be in the list and no longer in the count.
  const count = Math.max(snapshot.count, users.length);
  return all ? { users, count } : { users, count, incomplete: true };
}

/**
 * The change that clients are told, as JSON text: who is there now that was not, or has another info, and who no longer is.
 * @param changes in order; undefined where they are not known in full
 */
export function changeText(mode: PresenceMode, changes: readonly MemberChange[] | undefined, count: number): string {
  const last = new Map<string, string | null>();
  if (mode === "list") for (const { member, info } of changes ?? []) last.set(member.slice(1), info);
  const incomplete = mode === "list" && (changes === undefined || last.size > MAX_NAMED);
  const joined: PresenceUser[] = [];
  const left: PresenceUser[] = [];
  for (const [user, info] of incomplete ? [] : last) {
    if (info === null) left.push({ user });
    else joined.push({ user, ...parseInfo(info) });
  }
  return JSON.stringify({ joined, left, count, ...(incomplete ? { incomplete } : {}) });
}

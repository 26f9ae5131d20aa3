import { parseFilter } from "@bellwire/protocol";
import { isKnown } from "../subscriptions/pending.js";
import type { PendingFilter } from "../topics.js";
import type { WatchOptions } from "./watch.js";

/** Equal for filters and options that mean the same, so that they may be written inline. Never throws: it is called while rendering. */
export function watchKey(filter: unknown, { enabled = true, replay = true, since }: WatchOptions = {}): string {
  return JSON.stringify([keyOf(filter as PendingFilter), enabled, replay, since?.epoch, since?.offset]);
}

function keyOf(filter: PendingFilter): string {
  try {
    return isKnown(filter) ? parseFilter(filter).canonical : "";
  } catch (error) {
    return String(error);
  }
}

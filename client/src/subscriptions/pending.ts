import type { Filter } from "@bellwire/protocol";
import type { PendingFilter } from "../topics.js";

/** Whether all of a filter's values are there. */
export function isKnown(filter: PendingFilter | null | undefined): filter is Filter | null | undefined {
  return !Object.values(filter ?? {}).some((value) => value === undefined || (Array.isArray(value) && value.includes(undefined)));
}

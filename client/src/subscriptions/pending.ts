import type { Filter, Scalar } from "@bellwire/protocol";

/** A filter of which some values may not be there yet: with `undefined` among them nothing is subscribed. */
export type PendingFilter = { readonly [key: string]: Scalar | undefined | readonly (Scalar | undefined)[] };

export function isKnown(filter: PendingFilter | null | undefined): filter is Filter | null | undefined {
  return !Object.values(filter ?? {}).some((value) => value === undefined || (Array.isArray(value) && value.includes(undefined)));
}

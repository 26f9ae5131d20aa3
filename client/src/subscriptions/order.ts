import type { Position } from "@bellwire/protocol";

/** Whether `a` is known to be behind `b`, or can't be compared with it. */
export function later(a: Position, b: Position): boolean {
  return a.epoch !== b.epoch || a.offset > b.offset;
}

/** The one from which both can be served, in a box; undefined where there is none. */
export function lower<P extends Position | null | undefined>(a: P, b: P): { readonly position: P } | undefined {
  if (a && b) return a.epoch === b.epoch ? { position: later(a, b) ? b : a } : undefined;
  return a === b ? { position: a } : undefined;
}

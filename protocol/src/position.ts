import { BellwireError } from "./codes.js";
import { asObject } from "./json.js";
import { limits } from "./limits.js";

/** A place in one topic's log of one site. A new epoch means that the log's past can't be vouched for. */
export interface Position {
  /** Opaque, at most 32 characters. */
  readonly epoch: string;
  /** Rises by 1 with each message; below 2^53. */
  readonly offset: number;
}

export function isEpoch(value: unknown): value is string {
  return typeof value === "string" && value.length <= limits.epochLength;
}

export function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Reads a position from outside. @throws BellwireError `bad-request` */
export function parsePosition(value: unknown): Position {
  const source = asObject(value);
  if (source === undefined || !isEpoch(source.epoch) || !isOffset(source.offset)) {
    throw new BellwireError("bad-request", "A position is {epoch, offset}: a string of at most 32 characters and an integer below 2^53");
  }
  return { epoch: source.epoch, offset: source.offset };
}

export function samePosition(a: Position, b: Position): boolean {
  return a.epoch === b.epoch && a.offset === b.offset;
}

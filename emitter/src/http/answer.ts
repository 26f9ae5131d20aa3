import { asObject, BellwireError, isCode, parsePosition, parseWireError, type Code, type Position } from "@bellwire/protocol";
import { SwitchedOff } from "../attempts.js";

/** Reads `{results}` of a publish, one for each of `count` messages; null stands for a relay that is switched off. */
export function parseResults(body: unknown, count: number): (Position | BellwireError)[] {
  const results = asObject(body)?.results;
  if (results === null) return Array.from({ length: count }, () => new SwitchedOff());
  const list: unknown[] = Array.isArray(results) ? results : [];
  return Array.from({ length: count }, (_, i) => parseResult(list[i]));
}

function parseResult(result: unknown): Position | BellwireError {
  const error = asObject(result)?.error;
  if (error !== undefined && error !== null) return fromWire(error);
  try {
    return parsePosition(result);
  } catch (cause) {
    return new BellwireError("internal", "The relay answered something that is no position", { cause });
  }
}

/** Reads an answer whose status is not 2xx. `after` is the Retry-After header, in milliseconds. */
export function parseRefusal(status: number, body: unknown, after: number | undefined): BellwireError {
  const error = asObject(body)?.error;
  if (asObject(error)?.code !== undefined) return fromWire(error, after);
  const detail = after === undefined ? {} : { after };
  if (status === 401 || status === 403) return new BellwireError("forbidden", `The relay answered ${status}: check the apiKey`);
  if (status === 413) return new BellwireError("too-large", "The relay, or a proxy before it, answered 413");
  if (status === 422) return new BellwireError("rejected", "The relay, or a proxy before it, answered 422 and did not say why");
  if (status === 429) return new BellwireError("limit", "The relay, or a proxy before it, answered 429", detail);
  // A deploy answers 404 for a moment, and a proxy 502: time may heal it.
  return new BellwireError("unavailable", `The relay answered ${status} without the contract's error: check the url`, detail);
}

// Codes of later versions act by their `retry`.
const NEAREST = { never: "bad-request", refresh: "forbidden", later: "unavailable" } as const satisfies Record<string, Code>;

function fromWire(value: unknown, after?: number): BellwireError {
  const error = parseWireError(value);
  const wait = error.after ?? after;
  return new BellwireError(isCode(error.code) ? error.code : NEAREST[error.retry], error.message, {
    ...(wait === undefined ? {} : { after: wait }),
    ...(error.reason === undefined ? {} : { reason: error.reason }),
  });
}

/** Retry-After in milliseconds; only the form in seconds, which is what relays send. */
export function retryAfter(header: string | null): number | undefined {
  const seconds = header === null || header.trim() === "" ? NaN : Number(header);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

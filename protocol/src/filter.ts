import { BellwireError } from "./codes.js";
import { asObject, compareCodePoints, isWellFormed, type JsonObject } from "./json.js";
import { limits } from "./limits.js";

/** A value that filters can compare: a string, boolean, null or finite number within +-(2^53 - 1). */
export type Scalar = string | number | boolean | null;

/** A filter as people write it: each key pinned to one value, or to any of several. Keys are AND-ed; `{}` matches all. */
export type Filter = { readonly [key: string]: Scalar | readonly Scalar[] };

/** A checked filter in canonical order, ready for matching. Two filters mean the same exactly when their `canonical` is equal. */
export interface ParsedFilter {
  /** JSON text: keys sorted by code point; single-valued arrays unwrapped; any-of values deduplicated and sorted by their JSON text. */
  readonly canonical: string;
  /** The shape: the filter's keys, sorted. */
  readonly keys: readonly string[];
  /** For each key, the allowed values. */
  readonly values: readonly (readonly Scalar[])[];
}

/** The filter that matches every message. */
export const EVERYTHING: ParsedFilter = { canonical: "{}", keys: [], values: [] };

// Keys that name something on every object invite mistakes in every language's client.
const REFUSED_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Checks a filter from outside.
 * @throws BellwireError `bad-request` naming what is wrong.
 */
export function parseFilter(value: unknown): ParsedFilter {
  if (value === undefined || value === null) return EVERYTHING;
  const source = asObject(value);
  if (source === undefined) throw refuse("A filter is a flat object");
  const keys = Object.keys(source);
  if (keys.length === 0) return EVERYTHING;
  if (keys.length > limits.filterKeys) throw refuse(`A filter has at most ${limits.filterKeys} keys`);
  keys.sort(compareCodePoints);
  let combinations = 1;
  const parts: string[] = [];
  const values = keys.map((key) => {
    if (key.length > limits.filterKeyLength || !isWellFormed(key)) throw refuse("A filter key is too long or not valid Unicode");
    if (REFUSED_KEYS.has(key)) throw refuse(`"${key}" can't be a filter key`);
    const allowed = parseAllowed(key, source[key]);
    combinations *= allowed.length;
    if (combinations > limits.filterCombinations) {
      throw refuse(`A filter has at most ${limits.filterCombinations} value combinations`);
    }
    const texts = allowed.map(scalarText);
    parts.push(`${JSON.stringify(key)}:${texts.length === 1 ? texts[0] : `[${texts.join(",")}]`}`);
    return allowed;
  });
  const canonical = `{${parts.join(",")}}`;
  if (canonical.length > limits.filterLength) throw refuse(`A filter is at most ${limits.filterLength} characters long`);
  return { canonical, keys, values };
}

function parseAllowed(key: string, value: unknown): Scalar[] {
  if (!Array.isArray(value)) return [parseScalar(key, value)];
  if (value.length === 0) throw refuse(`"${short(key)}" lists no values: an empty array would match nothing`);
  if (value.length > limits.filterCombinations) throw refuse(`"${short(key)}" lists more than ${limits.filterCombinations} values`);
  const byText = new Map<string, Scalar>();
  for (const item of value) {
    const scalar = parseScalar(key, item);
    byText.set(scalarText(scalar), scalar);
  }
  return [...byText].sort(([a], [b]) => compareCodePoints(a, b)).map(([, scalar]) => scalar);
}

function parseScalar(key: string, value: unknown): Scalar {
  if (!isScalar(value)) {
    throw refuse(
      value === undefined
        ? `"${short(key)}" is undefined: leave the key out, or pass a value`
        : `"${short(key)}" is not a string, boolean, null or finite number within +-(2^53 - 1)`,
    );
  }
  if (typeof value === "string" && value.length > limits.filterStringLength) {
    throw refuse(`"${short(key)}" is longer than ${limits.filterStringLength} characters`);
  }
  return value === 0 ? 0 : value; // -0 is held equal to 0, and reads so
}

/** True for values that a filter can hold and that data can match with. */
export function isScalar(value: unknown): value is Scalar {
  switch (typeof value) {
    case "string":
      return isWellFormed(value);
    case "number":
      return Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER;
    case "boolean":
      return true;
    default:
      return value === null;
  }
}

/** A scalar's JSON text: equal exactly for values that filters hold equal (`-0` reads `0`, `"5"` keeps its quotes). */
export function scalarText(value: Scalar): string {
  return JSON.stringify(value);
}

/** Does this message data match? Keys are AND-ed, values compared strictly; a key absent from the data matches nothing. */
export function filterMatches(filter: ParsedFilter, data: JsonObject): boolean {
  for (let i = 0; i < filter.keys.length; i++) {
    const key = filter.keys[i] as string;
    if (!Object.hasOwn(data, key)) return false;
    const value = data[key];
    if (!isScalar(value) || !(filter.values[i] as readonly Scalar[]).includes(value)) return false;
  }
  return true;
}

/** Could one message match both filters? True unless a key that both of them pin has no value in common. */
export function filtersOverlap(a: ParsedFilter, b: ParsedFilter): boolean {
  return a.keys.every((key, i) => {
    const at = b.keys.indexOf(key);
    if (at < 0) return true;
    const other = b.values[at] as readonly Scalar[];
    return (a.values[i] as readonly Scalar[]).some((value) => other.includes(value));
  });
}

/** The filter's keys that are pinned to one value, as an object: what a callback learns of a resync. */
export function singleValues(filter: ParsedFilter): Record<string, Scalar> {
  const entries: [string, Scalar][] = [];
  filter.keys.forEach((key, i) => {
    const allowed = filter.values[i] as readonly Scalar[];
    if (allowed.length === 1) entries.push([key, allowed[0] as Scalar]);
  });
  return Object.fromEntries(entries);
}

/** A parsed filter as a plain object again, in canonical order. */
export function filterObject(filter: ParsedFilter): Filter {
  return Object.fromEntries(
    filter.keys.map((key, i) => {
      const allowed = filter.values[i] as readonly Scalar[];
      return [key, allowed.length === 1 ? (allowed[0] as Scalar) : allowed];
    }),
  );
}

function refuse(message: string): BellwireError {
  return new BellwireError("bad-request", message);
}

function short(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 40)}...`;
}

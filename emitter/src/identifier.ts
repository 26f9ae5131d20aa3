import { BellwireError, isSite, isWellFormed, limits, utf8Length } from "@bellwire/protocol";

/** The id of a site, user or session: text, or an integer as databases number them, which is written as text. */
export type Identifier = string | number | bigint;

/** The text of an id. What is no integer comes back as it is, for whoever checks it to refuse. */
export function idText(value: unknown): unknown {
  return Number.isSafeInteger(value) || typeof value === "bigint" ? String(value) : value;
}

/** @throws BellwireError `bad-request`, a sentence that names what it got */
export function parseSiteId(value: unknown): string {
  const text = idText(value);
  if (isSite(text)) return text;
  throw refuse(`A site is a string of 1 to 64 characters of A-Z a-z 0-9 _ -, or an integer, not ${shown(value)}`);
}

/**
 * The id of a user or session; undefined where there is none.
 * @throws BellwireError `bad-request`, a sentence that names what it got
 */
export function parseSubject(value: unknown, name: "user" | "session"): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const text = idText(value);
  // The length first: what is far too long is not even looked at.
  const short = typeof text === "string" && text.length <= limits.subjectBytes && utf8Length(text) <= limits.subjectBytes;
  if (short && isWellFormed(text)) return text;
  throw refuse(`A ${name} is a string of at most ${limits.subjectBytes} bytes, or an integer, not ${shown(value)}`);
}

const SHOWN = 40;

/** A value as an error names it. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value.length <= SHOWN
        ? JSON.stringify(value)
        : `${JSON.stringify(value.slice(0, SHOWN))} and ${value.length - SHOWN} more characters`;
    case "number":
      return Number.isInteger(value) ? `${value}, which is beyond 2^53: pass it as a string` : `the number ${value}`;
    case "boolean":
      return `the boolean ${value}`;
    case "object":
      return value === null ? "null" : Array.isArray(value) ? "an array" : "an object";
    case "undefined":
      return "undefined";
    default:
      return `a ${typeof value}`;
  }
}

function refuse(message: string): BellwireError {
  return new BellwireError("bad-request", message);
}

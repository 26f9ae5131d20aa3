import { asObject, BellwireError, isWellFormed, limits, utf8Length } from "@bellwire/protocol";
import { shown, type Identifier } from "./identifier.js";
import type { Except } from "./transport.js";

/** How one publish differs from the ordinary. */
export interface PublishOptions {
  /**
   * False: the promise resolves to `null` at once and never rejects, so that nothing waits for Redis or a relay; whatever fails, wrong
   * arguments included, goes to the emitter's `onError`. Default true.
   */
  readonly wait?: boolean | undefined;
  /**
   * Publishes with the same key on one topic count once for 5 minutes: the later ones resolve to the position of the first.
   * 1 to 128 characters, none of them a control character.
   */
  readonly idempotencyKey?: string | undefined;
  /** Whom the message leaves out, e.g. `{client}` for the page that caused it. Ids are strings of 1 to 128 bytes, or integers. */
  readonly except?: { readonly [Name in keyof Except]: Identifier | undefined } | undefined;
}

/**
 * Encodes a message's data. An empty array counts as `{}`.
 * @throws BellwireError `bad-request` for anything but a JSON object, `too-large` for more than `maxBytes` of UTF-8
 */
export function encodeData(data: unknown, maxBytes: number): string {
  const text = stringify(data);
  if (text === "[]") return "{}";
  if (text === undefined || text.charAt(0) !== "{") throw refuse("Message data is a JSON object, e.g. {id: 5}");
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return text;
  throw new BellwireError(
    "too-large",
    `Message data has ${bytes} bytes, and at most ${maxBytes} are allowed: send ids, and let readers fetch`,
  );
}

function stringify(data: unknown): string | undefined {
  try {
    return JSON.stringify(data);
  } catch (error) {
    // A cycle, a BigInt, or a toJSON that throws.
    throw new BellwireError("bad-request", "Message data can't be written as JSON", { cause: error });
  }
}

/** @throws BellwireError `bad-request` */
export function parseIdempotencyKey(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  // Control characters would end the id's line on the way through Redis.
  if (typeof value === "string" && value.length > 0 && value.length <= limits.keyLength && !/\p{Cc}/u.test(value) && isWellFormed(value))
    return value;
  throw refuse(`An idempotencyKey is a string of 1 to ${limits.keyLength} characters without control characters`);
}

const NAMES: readonly (keyof Except)[] = ["user", "session", "client"];

/**
 * Reads `except`; undefined where it leaves out nobody.
 * @throws BellwireError `bad-request`, also for an unknown name: a typing error must not tell somebody what was to be kept from them
 */
export function parseExcept(value: unknown): Except | undefined {
  if (value === undefined || value === null) return undefined;
  const source = asObject(value);
  if (source === undefined) throw refuse("except is {user?, session?, client?}");
  const given = Object.entries(source).filter(([, id]) => id !== undefined && id !== null);
  for (const [name, id] of given) {
    if (!NAMES.includes(name as keyof Except)) throw refuse(`except knows user, session and client, not "${name.slice(0, 40)}"`);
    if (typeof id !== "string" || id === "" || utf8Length(id) > limits.subjectBytes || !isWellFormed(id)) {
      throw refuse(`except.${name} is a string of 1 to ${limits.subjectBytes} bytes, not ${shown(id)}`);
    }
  }
  return given.length === 0 ? undefined : (Object.fromEntries(given) as Except);
}

function refuse(message: string): BellwireError {
  return new BellwireError("bad-request", message);
}

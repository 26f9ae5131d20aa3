/** An APP_KEY, ready for use. A key written `base64:...` verifies both decoded and taken literally, since backends do either. */
export interface Key {
  /** What signs: the decoded bytes. */
  readonly sign: Uint8Array;
  /** What may have signed a token; the first is `sign`. */
  readonly verify: readonly Uint8Array[];
}

const PREFIX = "base64:";
const LEAST_BYTES = 32;
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;

/**
 * Reads a key as `APP_KEY` holds it: any text, or `base64:` and 32 bytes or more in base64.
 * @throws TypeError a sentence that says the remedy and never repeats the key
 */
export function parseKey(text: string): Key {
  if (typeof text !== "string" || text === "") throw new TypeError(`The key is empty: ${REMEDY}`);
  const literal = new Uint8Array(Buffer.from(text, "utf8"));
  if (!text.startsWith(PREFIX)) return { sign: longEnough(literal), verify: [literal] };
  const encoded = text.slice(PREFIX.length);
  if (!BASE64.test(encoded)) throw new TypeError(`The key begins with "${PREFIX}", and what follows is no base64: ${REMEDY}`);
  const decoded = longEnough(new Uint8Array(Buffer.from(encoded, "base64")));
  return { sign: decoded, verify: [decoded, literal] };
}

const REMEDY = `set APP_KEY to "${PREFIX}" and the output of \`openssl rand -base64 32\``;

function longEnough(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length < LEAST_BYTES) throw new TypeError(`The key has ${bytes.length} bytes, and ${LEAST_BYTES} are needed: ${REMEDY}`);
  return bytes;
}

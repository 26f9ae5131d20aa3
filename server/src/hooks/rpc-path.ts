const VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;
const MAX_LENGTH = 1024;
// What has a meaning in a URL, or to some server on the way: a query goes into data, and `;` begins path parameters.
// oxlint-disable-next-line no-control-regex
const REFUSED = /[\u0000-\u001f\u007f/\\?#%;]/;

export type Verb = (typeof VERBS)[number];

/** An HTTP call, as an rpc method names it. */
export interface RpcPath {
  readonly verb: Verb;
  /** Relative, without a slash in front, in canonical percent-encoding. */
  readonly path: string;
}

/**
 * Reads a method such as `post:news/store`. The path is taken apart and encoded anew, so that what the allow-list sees is
 * what the application gets. One slash in front and one at the end are allowed.
 * @returns undefined for anything that is no plain path: `..`, `.` or nothing between two slashes, also percent-encoded;
 *   a scheme or host; a query; encoded slashes; malformed or double encoding; control characters
 */
export function parseRpcPath(method: string): RpcPath | undefined {
  const colon = method.indexOf(":");
  if (colon < 0 || method.length > MAX_LENGTH) return undefined;
  const name = method.slice(0, colon).toUpperCase();
  const verb = VERBS.find((each) => each === name);
  if (verb === undefined) return undefined;
  const segments = method.slice(colon + 1).split("/");
  if (segments[0] === "" && segments.length > 1) segments.shift();
  const ending = segments.length > 1 && segments.at(-1) === "" ? "/" : "";
  if (ending !== "") segments.pop();
  const encoded = segments.map(encodeSegment);
  return encoded.includes(undefined) ? undefined : { verb, path: encoded.join("/") + ending };
}

function encodeSegment(segment: string): string | undefined {
  try {
    const decoded = decodeURIComponent(segment);
    if (["", ".", ".."].includes(decoded.trim()) || REFUSED.test(decoded)) return undefined;
    return encodeURIComponent(decoded);
  } catch {
    return undefined;
  }
}

/** Does the allow-list hold this call? Its entries are `verb:path`, or a prefix of one that ends in `*`. */
export function isAllowed({ verb, path }: RpcPath, allow: readonly string[]): boolean {
  const name = `${verb.toLowerCase()}:${path}`;
  return allow.some((entry) => (entry.endsWith("*") ? name.startsWith(entry.slice(0, -1)) : entry === name));
}

/**
 * An entry of the allow-list as `isAllowed` compares it: the verb in lower case, no slash in front of the path.
 * @returns undefined for an entry that could allow nothing
 */
export function normalAllowed(entry: string): string | undefined {
  const prefix = entry.endsWith("*");
  const whole = prefix ? entry.slice(0, -1) : entry;
  const bare = /^([a-z]+):\/?$/i.exec(whole);
  const read = parseRpcPath(prefix && bare !== null ? `${bare[1]}:x` : whole);
  if (read === undefined) return undefined;
  return `${read.verb.toLowerCase()}:${bare === null ? read.path : ""}${prefix ? "*" : ""}`;
}

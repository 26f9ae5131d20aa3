const COOKIE = "cookie:";
const MAX_VALUE = 8192;
const MAX_TOTAL = 16_384;

/**
 * The headers of a browser that backends may see.
 * @param headers as Node's `request.headers` has them
 * @param allow lower-case names; `cookie` for all cookies, or `cookie:<name>` for single ones
 * @returns by lower-case name. A value longer than 8,192 characters, and what goes beyond 16,384 in all, is left out:
 *   half a cookie is of no use.
 */
export function passedHeaders(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  allow: readonly string[],
): Record<string, string> {
  const passed = new Map<string, string>();
  let total = 0;
  const add = (name: string, value: string): void => {
    total += name.length + value.length;
    if (total <= MAX_TOTAL) passed.set(name, value);
    else total -= name.length + value.length;
  };
  for (const entry of allow) {
    const name = entry.startsWith(COOKIE) ? "cookie" : entry;
    if (passed.has(name)) continue;
    const value = Object.hasOwn(headers, name) ? asText(headers[name], name) : undefined;
    const kept = name === "cookie" && value !== undefined ? cookiesOf(value, allow) : value;
    if (kept !== undefined && kept !== "" && kept.length <= MAX_VALUE) add(name, kept);
  }
  return Object.fromEntries(passed);
}

function asText(value: string | readonly string[] | undefined, name: string): string | undefined {
  return typeof value === "object" ? value.join(name === "cookie" ? "; " : ", ") : value;
}

/** All cookies, or those that the list names. */
function cookiesOf(header: string, allow: readonly string[]): string {
  if (allow.includes("cookie")) return header;
  return header
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => allow.includes(COOKIE + (pair.split("=", 1)[0] as string)))
    .join("; ");
}

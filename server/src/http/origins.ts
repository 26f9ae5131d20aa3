import type { CorsOptions } from "cors";

const LOCALHOST = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\]|[^/]+\.localhost)(:\d+)?$/;

/** Which pages may connect: a list of origins, `*` for all, or any localhost. */
export type AllowedOrigins = readonly string[] | "localhost";

/** An origin such as `https://example.com`, without a path or a slash at the end, or `*`. */
export function isOrigin(text: string): boolean {
  return text === "*" || (URL.canParse(text) && new URL(text).origin === text);
}

/**
 * What the relay says to a browser that polls. Where every page may connect, none does so with somebody's cookies.
 * @param everybody whether some site lets pages of any origin in
 */
export function corsOptions(everybody: boolean, isAllowed: (origin: string | undefined) => boolean): CorsOptions {
  if (everybody) return { origin: "*" };
  return { origin: (origin, answer) => answer(null, isAllowed(origin)), credentials: true };
}

/** Whether pages of any origin may connect. */
export function allowsAll(allowed: AllowedOrigins): boolean {
  return allowed !== "localhost" && allowed.includes("*");
}

/** A missing Origin passes: browsers always send one, so it is no browser. */
export function isAllowedOrigin(allowed: AllowedOrigins, origin: string | undefined): boolean {
  if (origin === undefined || origin === "") return true;
  if (allowed === "localhost") return LOCALHOST.test(origin);
  return allowed.includes("*") || allowed.includes(origin);
}

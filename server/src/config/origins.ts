const LOCALHOST = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\]|[^/]+\.localhost)(:\d+)?$/;

/** Which pages may connect: a list of origins, `*` for all, or any localhost. */
export type AllowedOrigins = readonly string[] | "localhost";

/** An origin such as `https://example.com`, without a path or a slash at the end, or `*`. */
export function isOrigin(text: string): boolean {
  return text === "*" || (URL.canParse(text) && new URL(text).origin === text);
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

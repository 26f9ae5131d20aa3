import type { CorsOptions } from "cors";

/**
 * What the relay says to a browser that polls. Where every page may connect, none does so with somebody's cookies.
 * @param everybody whether some site lets pages of any origin in
 */
export function corsOptions(everybody: boolean, isAllowed: (origin: string | undefined) => boolean): CorsOptions {
  if (everybody) return { origin: "*" };
  return { origin: (origin, answer) => answer(null, isAllowed(origin)), credentials: true };
}

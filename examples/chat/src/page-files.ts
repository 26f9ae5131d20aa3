import { readFile } from "node:fs/promises";

const TYPES: Readonly<Record<string, string>> = {
  "/": "text/html; charset=utf-8",
  "/app.js": "text/javascript; charset=utf-8",
  "/app.js.map": "application/json",
  "/style.css": "text/css; charset=utf-8",
};

// Both src and dist lie one folder below the package.
const FOLDER = new URL("../dist/page/", import.meta.url);

/** Nothing but our own files, and our own relay. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/** Serves the page's few files, and no others. Resolves to undefined for any other path. */
export async function servePage(path: string): Promise<Response | undefined> {
  const type = TYPES[path];
  if (!Object.hasOwn(TYPES, path) || type === undefined) return undefined;
  const body = await readFile(new URL(path === "/" ? "index.html" : path.slice(1), FOLDER));
  return new Response(body, {
    headers: {
      "content-type": type,
      "cache-control": "no-cache",
      "content-security-policy": POLICY,
      "x-content-type-options": "nosniff",
    },
  });
}

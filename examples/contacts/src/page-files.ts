import { readFile } from "node:fs/promises";

const TYPES: Readonly<Record<string, string>> = {
  "/": "text/html; charset=utf-8",
  "/app.js": "text/javascript; charset=utf-8",
  "/app.js.map": "application/json",
  "/style.css": "text/css; charset=utf-8",
};

// Both src and dist lie one folder below the package.
const FOLDER = new URL("../dist/page/", import.meta.url);

/** Serves the page's few files, and no others. Resolves to undefined for any other path. */
export async function servePage(path: string, relayUrl: string): Promise<Response | undefined> {
  const type = TYPES[path];
  if (!Object.hasOwn(TYPES, path) || type === undefined) return undefined;
  const body = await readFile(new URL(path === "/" ? "index.html" : path.slice(1), FOLDER));
  return new Response(body, {
    headers: {
      "content-type": type,
      "cache-control": "no-cache",
      "content-security-policy": policy(relayUrl),
      "x-content-type-options": "nosniff",
    },
  });
}

/** Nothing but our own files, and the relay over WebSocket or polling. */
function policy(relayUrl: string): string {
  const { protocol, host } = new URL(relayUrl);
  const relay = protocol === "wss:" || protocol === "https:" ? `wss://${host} https://${host}` : `ws://${host} http://${host}`;
  return `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ${relay}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;
}

import { STATUS_CODES, type IncomingMessage, type Server } from "node:http";
import type { BellwireError } from "@bellwire/protocol";

export interface Rewriting {
  /** The path of the public URL, e.g. `/ws`: requests are answered with and without it. */
  readonly prefix: string;
  /** Asked once for each request that would open a new session: why it may not. */
  readonly turnsAway: (request: IncomingMessage) => BellwireError | undefined;
  /** Told of each WebSocket that was; what else is turned away is answered by the app. */
  readonly onTurnedAway?: (error: BellwireError) => void;
}

/** Says why a new session is refused, as a route of the app: `draining`, or `limit` where the query has `after`, in milliseconds. */
export const TURNED_AWAY = "/.turned-away";

const PATH = "/socket.io/";

/**
 * Looks at each request before anybody else does. A draining relay answers whoever opens a new session with HTTP 503: a refusal
 * inside the Socket.IO connection is too late for a balancer, which could have gone to another relay, and a client does not
 * retry it by itself. Who is over a limit gets 429, and nothing is built for it. Sessions that are open go on.
 */
export function rewriteRequests(server: Server, { prefix, turnsAway, onTurnedAway }: Rewriting): void {
  const rewrite = (request: IncomingMessage): BellwireError | undefined => {
    const url = withoutPrefix(request.url ?? "/", prefix);
    const refused = opensSession(url) ? turnsAway(request) : undefined;
    request.url = refused === undefined ? url : refused.code === "limit" ? `${TURNED_AWAY}?after=${refused.after ?? 0}` : TURNED_AWAY;
    return refused;
  };
  server.prependListener("request", rewrite);
  // Without a taker of upgrades Node answers them as ordinary requests; with a listener of ours alone they would hang.
  if (server.listenerCount("upgrade") === 0) return;
  server.prependListener("upgrade", (request, socket) => {
    const refused = rewrite(request);
    if (refused === undefined) return;
    // engine.io ignores an upgrade of another path, and nobody else answers one.
    onTurnedAway?.(refused);
    const retryAfter = refused.after === undefined ? "" : `Retry-After: ${Math.ceil(refused.after / 1000)}\r\n`;
    const head = `HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status]}\r\n${retryAfter}`;
    socket.end(`${head}Connection: close\r\nContent-Length: 0\r\n\r\n`);
  });
}

/** Is this a request of Socket.IO's? @param url without the public URL's path */
export function isSocketPath(url: string): boolean {
  return url.startsWith(PATH);
}

function opensSession(url: string): boolean {
  if (!isSocketPath(url)) return false;
  const query = url.indexOf("?");
  return query < 0 || !new URLSearchParams(url.slice(query)).has("sid");
}

/** A URL without the public URL's path in front, e.g. `/ws`: requests are answered with and without it. */
export function withoutPrefix(url: string, prefix: string): string {
  if (prefix === "" || !url.startsWith(prefix)) return url;
  const rest = url.slice(prefix.length);
  return rest.startsWith("/") || rest.startsWith("?") || rest === "" ? rest || "/" : url;
}

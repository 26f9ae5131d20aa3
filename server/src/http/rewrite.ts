import type { Server } from "node:http";

export interface Rewriting {
  /** The path of the public URL, e.g. `/ws`: requests are answered with and without it. */
  readonly prefix: string;
  /** Whether new sockets are turned away now. */
  readonly turnsAway: () => boolean;
  /** Told of each WebSocket that was; what else is turned away is answered by the app. */
  readonly onTurnedAway?: () => void;
}

/** Answers 503, as a route of the app. */
export const TURNED_AWAY = "/.turned-away";

const PATH = "/socket.io/";

/**
 * Looks at each request before anybody else does. A draining relay answers whoever opens a new session with HTTP 503: a refusal
 * inside the Socket.IO connection is too late for a balancer, which could have gone to another relay, and a client does not
 * retry it by itself. Sessions that are open go on.
 */
export function rewriteRequests(server: Server, { prefix, turnsAway, onTurnedAway }: Rewriting): void {
  const rewrite = (request: { url?: string | undefined }): void => {
    const url = withoutPrefix(request.url ?? "/", prefix);
    request.url = turnsAway() && opensSession(url) ? TURNED_AWAY : url;
  };
  server.prependListener("request", rewrite);
  // Without a taker of upgrades Node answers them as ordinary requests; with a listener of ours alone they would hang.
  if (server.listenerCount("upgrade") === 0) return;
  server.prependListener("upgrade", (request, socket) => {
    rewrite(request);
    // engine.io ignores an upgrade of another path, and nobody else answers one.
    if (request.url !== TURNED_AWAY) return;
    onTurnedAway?.();
    socket.end("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
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

import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { FastifyInstance } from "fastify";
import { isSocketPath } from "../http/rewrite.js";

/** Where a relay answers in a server that is not its own, unless its public URL has a path. */
export const EMBEDDED_PATH = "/bellwire";

export interface Embedded {
  /** What its owner should know. */
  readonly warning: string | undefined;
  /** Takes the relay out again. */
  readonly remove: () => void;
}

type OnRequest = (request: IncomingMessage, response: ServerResponse) => void;
type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/**
 * Puts a relay into a server that serves an application too: what the relay answers goes to its own server, which never listens,
 * and everything else to whoever had it before, below the prefix too.
 * @param prefix the path in front of all that the relay answers, e.g. `/ws`
 * @param told whether the prefix is in the public URL. Clients that are told of none ask for Socket.IO's own path, at the root: that
 * is the relay's too, unless somebody else may have it
 */
export function embed(host: HttpServer, relay: FastifyInstance, prefix: string, told: boolean): Embedded {
  const rootSockets = !told && host.listenerCount("upgrade") === 0;
  const answers = (url: string): boolean => isSocketPath(url) || relay.offered.methodsFor(url).length > 0;
  const warning = `The application takes WebSockets itself, so clients find the relay under ${prefix} only: add it to REALTIME_PUBLIC_URL`;
  const isOurs = (url: string = "/"): boolean =>
    url.startsWith(`${prefix}/`) ? answers(url.slice(prefix.length)) : rootSockets && isSocketPath(url);
  return { warning: told || rootSockets ? undefined : warning, remove: divert(host, relay.server, isOurs) };
}

/** @returns undoes it */
function divert(host: HttpServer, relay: HttpServer, isOurs: (url: string | undefined) => boolean): () => void {
  const requests = host.listeners("request") as OnRequest[];
  const upgrades = host.listeners("upgrade") as OnUpgrade[];
  const onRequest: OnRequest = (request, response) => {
    if (isOurs(request.url)) relay.emit("request", request, response);
    else for (const listener of requests) listener.call(host, request, response);
  };
  const onUpgrade: OnUpgrade = (request, socket, head) => {
    if (isOurs(request.url)) {
      if (!relay.emit("upgrade", request, socket, head)) socket.destroy(); // switched off: it takes none
      return;
    }
    for (const listener of upgrades) listener.call(host, request, socket, head);
    // Node leaves an upgrade to its listeners; with ours alone it would hang.
    if (upgrades.length === 0 && host.listenerCount("upgrade") === 1) socket.destroy();
  };
  host.removeAllListeners("request");
  host.removeAllListeners("upgrade");
  host.on("request", onRequest);
  host.on("upgrade", onUpgrade);
  return () => {
    host.off("upgrade", onUpgrade);
    host.off("request", onRequest);
    for (const listener of requests) host.on("request", listener);
    for (const listener of upgrades) host.on("upgrade", listener);
  };
}

import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/** What a relay answers at the root of a server that is not its own; under a path of the public URL it answers all that it has. */
const AT_ROOT = ["/socket.io/", "/v1/", "/client.js"];

/**
 * Puts a relay into a server that serves an application too: requests and upgrades for the relay go to its own server, which
 * never listens, and all others to whoever had them before.
 * @param prefix the path of the public URL, e.g. `/ws`, or ""
 * @returns takes the relay out again
 */
export function embed(host: HttpServer, relay: HttpServer, prefix: string): () => void {
  const isOurs = (url: string | undefined): boolean => {
    const path = url ?? "/";
    return prefix === "" ? AT_ROOT.some((start) => path.startsWith(start)) : path === prefix || path.startsWith(`${prefix}/`);
  };
  const others = host.listeners("request") as ((request: IncomingMessage, response: ServerResponse) => void)[];
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (isOurs(request.url)) relay.emit("request", request, response);
    else for (const listener of others) listener.call(host, request, response);
  };
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (isOurs(request.url)) {
      if (!relay.emit("upgrade", request, socket, head)) socket.destroy(); // switched off: it takes none
    }
    // Node leaves an upgrade to its listeners; with ours alone it would hang.
    else if (host.listenerCount("upgrade") === 1) socket.destroy();
  };
  host.removeAllListeners("request");
  host.on("request", onRequest);
  host.on("upgrade", onUpgrade);
  return () => {
    host.off("upgrade", onUpgrade);
    host.off("request", onRequest);
    for (const listener of others) host.on("request", listener);
  };
}

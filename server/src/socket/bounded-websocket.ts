import { WebSocket, WebSocketServer, type ServerOptions } from "ws";
import { Rate } from "../pacing/rate.js";

/** Bytes that may wait for a peer that was not admitted yet: a handshake and a refusal are a few hundred. */
export const UNREAD_BEFORE_ADMISSION = 65_536;

/** Browsers send no pings of WebSocket's own; whoever does sends one in some seconds. */
const PINGS_PER_SECOND = 5;
const PINGS_AT_ONCE = 50;

/** How long a peer may take to answer a close frame, milliseconds. */
const CLOSING_MS = 2000;

/**
 * A WebSocket that is ended where its peer does not read. What `ws` answers by itself, a ping, and what is written past the
 * connection's own weighing is bounded here: each of them may be provoked by a peer that never reads an answer.
 */
export class BoundedWebSocket extends WebSocket {
  /** Bytes that may wait to be read. */
  mostUnread: number = UNREAD_BEFORE_ADMISSION;
  pings: Rate | undefined;

  override send(data: Parameters<WebSocket["send"]>[0], ...rest: unknown[]): void {
    if (this.bufferedAmount > this.mostUnread) return this.terminate();
    (super.send as (...args: unknown[]) => void).call(this, data, ...rest);
  }
}

function answerPing(this: WebSocket, data: Buffer): void {
  const ws = this as BoundedWebSocket;
  ws.pings ??= new Rate(PINGS_AT_ONCE);
  const tooMany = ws.pings.take(PINGS_PER_SECOND, PINGS_AT_ONCE) > 0 || ws.bufferedAmount > ws.mostUnread;
  if (tooMany) return ws.terminate();
  if (ws.readyState === WebSocket.OPEN) ws.pong(data, false);
}

/** Engine.IO's WebSocket server, with bounded sockets. */
export class BoundedWebSocketServer extends WebSocketServer {
  constructor(options: ServerOptions) {
    super({ ...options, WebSocket: BoundedWebSocket, autoPong: false, closeTimeout: CLOSING_MS } as ServerOptions);
  }

  override handleUpgrade(...[request, socket, head, done]: Parameters<WebSocketServer["handleUpgrade"]>): void {
    super.handleUpgrade(request, socket, head, (ws, upgraded) => {
      ws.on("ping", answerPing);
      done(ws, upgraded);
    });
  }
}

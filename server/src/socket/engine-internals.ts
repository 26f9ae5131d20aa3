import type { IncomingMessage } from "node:http";
import type { Socket as NetSocket } from "node:net";
import type { Socket } from "socket.io";
import type { SocketFrame } from "./frame.js";

type EngineSocket = Socket["conn"];

/** What of engine.io and ws is touched; each part is looked for, and without it the ordinary path is taken. */
interface Internals {
  readyState?: string;
  readonly upgrading?: boolean;
  readonly writeBuffer?: readonly unknown[];
  readonly transport?: {
    readonly name?: string;
    readonly writable?: boolean;
    readonly perMessageDeflate?: unknown;
    doClose?(done?: () => void): void;
    once?(event: string, listener: () => void): void;
    send?(packets: object[]): void;
    readonly socket?: {
      terminate?(): void;
      pause?(): void;
      resume?(): void;
      readonly isPaused?: boolean;
      listeners?(event: string): ((...args: never[]) => void)[];
      off?(event: string, listener: unknown): void;
      readonly readyState?: number;
      readonly _socket?: NetSocket | null;
      readonly _sender?: { readonly _bufferedBytes?: number };
    };
  };
}

const OPEN = 1;

/** Libraries that hear messages and the connection's end at once may take them in any order: the last message needs a head start. */
const LAST_WORDS_MS = 100;

/**
 * Writes a finished WebSocket frame straight to its TCP socket, past engine.io's packet, buffer and events: for a message that
 * goes to a thousand sockets those cost more than all the rest. Only where nothing waits before it, so that order holds.
 * Returns the bytes that wait in the socket now, or -1 where the frame was not written and the ordinary path has to be taken.
 */
export function writeDirectly(conn: EngineSocket, { options }: SocketFrame): number {
  const bytes = options.wsPreEncodedFrame?.[0];
  if (bytes === undefined) return -1;
  const { readyState, upgrading, writeBuffer, transport } = conn as unknown as Internals;
  if (readyState !== "open" || upgrading !== false || writeBuffer?.length !== 0) return -1;
  // Whether the transport is "writable" is no matter: it only waits to hear that what it handed on was written, and order holds.
  if (transport?.name !== "websocket" || transport.perMessageDeflate) return -1;
  const socket = transport.socket;
  const net = socket?._socket;
  if (socket?.readyState !== OPEN || socket._sender?._bufferedBytes !== 0 || !net?.writable) return -1;
  net.write(bytes);
  return net.writableLength;
}

/**
 * How many packets wait in engine.io for the transport to take them, and the characters of the newest. An internal of engine.io,
 * documented as readable on `close`; where it is missing nothing waits as far as we can tell, and only the ping timeout ends a
 * stuck socket.
 */
export function waitingPackets(conn: EngineSocket): { readonly packets: number; readonly newest: number } {
  const { writeBuffer = [] } = conn as unknown as Internals;
  const data = (writeBuffer[writeBuffer.length - 1] as { readonly data?: unknown } | undefined)?.data;
  return { packets: writeBuffer.length, newest: typeof data === "string" ? data.length : 0 };
}

/** Reads nothing from a WebSocket for so long: whoever sends fills its own buffers. On polling each request is answered first anyway. */
export function pauseReading(conn: EngineSocket, ms: number): void {
  const socket = (conn as unknown as Internals).transport?.socket;
  if (socket?.pause === undefined || socket.resume === undefined || socket.isPaused === true) return;
  socket.pause();
  setTimeout(() => socket.resume?.(), ms).unref();
}

/** Ends a WebSocket without the closing handshake, which a peer that does not read would leave waiting with all that was buffered for it. */
export function endTransport(conn: EngineSocket): void {
  (conn as unknown as Internals).transport?.socket?.terminate?.();
}

/**
 * Loses a transport as a network would, once what was written has gone out: then every client library comes back by itself. An
 * orderly end stops some of them for good (Engine.IO's close packet on polling, a WebSocket's close frame with a normal code), and
 * others wait for what follows a close frame until their ping times out. A WebSocket's TCP socket just ends; on polling the next
 * request finds no session. Nothing can be written any more; a peer that does not take what was is cut off after `ms`.
 */
export function loseTransport(conn: EngineSocket, ms: number): void {
  const engine = conn as unknown as Internals;
  if (engine.readyState !== "open") return;
  endQuietly(conn);
  cutLater(conn, ms);
  // In the middle of a change of transports the client listens to neither for a moment: engine.io closes when it is done.
  if (engine.upgrading === true) engine.readyState = "closing";
  else if (engine.writeBuffer?.length === 0) discard(conn);
  else {
    // Before engine.io's own listener, which would wait for one more poll to say good-bye in order.
    if (engine.transport?.name === "polling") conn.once("drain", () => discard(conn));
    conn.close();
  }
}

/** From now on, whoever closes this transport does so without a WebSocket close frame. */
export function endQuietly(conn: EngineSocket): void {
  const quieten = (): void => {
    const { transport } = conn as unknown as Internals;
    const net = transport?.socket?._socket;
    if (transport?.name !== "websocket" || !net || typeof transport.doClose !== "function") return;
    transport.doClose = (done) => {
      const end = (): unknown => setTimeout(() => net.end(), LAST_WORDS_MS);
      // A frame that is still being compressed has not reached the TCP socket.
      if (transport.writable === false) transport.once?.("ready", end);
      else end();
      done?.();
    };
  };
  quieten();
  conn.once("upgrade", quieten);
}

/** Cuts off a peer that has not taken part in the end of its transport by then: it does not read, poll, or answer a close frame. */
export function cutLater(conn: EngineSocket, ms: number): void {
  setTimeout(() => cutOff(conn), ms).unref();
}

/** Closes at once, without waiting for what the peer never took. */
export function cutOff(conn: EngineSocket): void {
  discard(conn);
  endTransport(conn);
}

/** Bounds the frames and request bodies that a connection takes from now on; where that can't be told, engine.io's own bound holds. */
export function setLargestBody(conn: EngineSocket, bytes: number): void {
  const { transport } = conn as unknown as {
    transport?: { maxHttpBufferSize?: number; socket?: { _receiver?: { _maxPayload?: number } | null } };
  };
  if (typeof transport?.maxHttpBufferSize === "number") transport.maxHttpBufferSize = bytes;
  const receiver = transport?.socket?._receiver;
  if (typeof receiver?._maxPayload === "number") receiver._maxPayload = bytes;
}

/** Closes at once. A poll that waits is answered with nothing to say: the next one finds no session. */
function discard(conn: EngineSocket): void {
  const { readyState, transport } = conn as unknown as Internals;
  if (readyState === "closed") return;
  if (transport?.name === "polling" && transport.writable === true) transport.send?.([{ type: "noop" }]);
  conn.close(true);
}

/**
 * Collects what is written to a WebSocket in this turn of the event loop and the microtasks and ticks after it: one system call
 * instead of several.
 */
export function corkWrites(conn: EngineSocket): void {
  cork((conn as unknown as Internals).transport?.socket?._socket);
}

/** The same for what is written to a request that becomes a WebSocket. */
export function corkUpgrade(request: IncomingMessage): void {
  if (isUpgrade(request)) cork(request.socket);
}

/** Whether a request asks to become a WebSocket. */
export function isUpgrade({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

function cork(net: NetSocket | null | undefined): void {
  if (!net?.writable) return;
  net.cork();
  setImmediate(() => net.uncork());
}

/**
 * Lets the first HTTP request go. engine.io documents that it may be dropped from its socket; two of its listeners, which have
 * done their work by then, hold on to the request and its answer for as long as the socket lives.
 */
export function dropHandshake(conn: EngineSocket): void {
  const { transport } = conn as unknown as Internals;
  (conn as { request: unknown }).request = undefined;
  const socket = transport?.socket;
  const early = socket?.listeners?.("error").find(({ name }) => name === "onUpgradeError");
  // Only where another one is there: an error without a listener would be thrown.
  if (early !== undefined && (socket?.listeners?.("error").length ?? 0) > 1) socket?.off?.("error", early);
  const net = socket?._socket;
  // The answer's, by which middlewares of engine.io learn that it ended. It has no name; one of an application's has another text.
  const answers = net?.listeners("close").filter((listener) => /^\(\) => this\.emit\("close"\)$/.test(String(listener))) ?? [];
  if (answers.length === 1) net?.off("close", answers[0] as () => void);
}

/** What of socket.io and engine.io is made smaller for a socket that stays. */
interface Trimmable {
  acks?: Map<unknown, unknown>;
  fns?: unknown[];
}

const NO_ACKS: Map<unknown, unknown> = new Map();

/**
 * Gives back what a socket holds in reserve: a map for answers of the client, which it is never asked for, and arrays with room
 * for sixteen more middlewares. About a tenth of what a connection takes.
 */
export function trimSocket(socket: Socket): void {
  const own = socket as unknown as Trimmable;
  if (own.acks?.size === 0) own.acks = NO_ACKS;
  if (Array.isArray(own.fns)) own.fns = own.fns.slice();
  const conn = socket.conn as unknown as {
    cleanupFn?: unknown[];
    transport?: Internals["transport"] & { removeAllListeners?(event: string): void };
  };
  if (Array.isArray(conn.cleanupFn)) conn.cleanupFn = conn.cleanupFn.slice();
  // A WebSocket has sent its headers.
  if (conn.transport?.name === "websocket") conn.transport.removeAllListeners?.("headers");
}

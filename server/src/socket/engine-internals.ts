import type { Socket as NetSocket } from "node:net";
import type { Socket } from "socket.io";
import type { Frame } from "../frame.js";

type EngineSocket = Socket["conn"];

/** What of engine.io and ws is touched; each part is looked for, and without it the ordinary path is taken. */
interface Internals {
  readonly readyState?: string;
  readonly upgrading?: boolean;
  readonly writeBuffer?: readonly unknown[];
  readonly transport?: {
    readonly name?: string;
    readonly writable?: boolean;
    readonly perMessageDeflate?: unknown;
    readonly socket?: {
      terminate?(): void;
      readonly readyState?: number;
      readonly _socket?: NetSocket | null;
      readonly _sender?: { readonly _bufferedBytes?: number };
    };
  };
}

const OPEN = 1;

/**
 * Writes a finished WebSocket frame straight to its TCP socket, past engine.io's packet, buffer and events: for a message that
 * goes to a thousand sockets those cost more than all the rest. Only where nothing waits before it, so that order holds.
 * Returns the bytes that wait in the socket now, or -1 where the frame was not written and the ordinary path has to be taken.
 */
export function writeDirectly(conn: EngineSocket, { options }: Frame): number {
  const bytes = options.wsPreEncodedFrame?.[0];
  if (bytes === undefined) return -1;
  const { readyState, upgrading, writeBuffer, transport } = conn as unknown as Internals;
  if (readyState !== "open" || upgrading !== false || writeBuffer?.length !== 0) return -1;
  if (transport?.name !== "websocket" || transport.writable !== true || transport.perMessageDeflate) return -1;
  const socket = transport.socket;
  const net = socket?._socket;
  if (socket?.readyState !== OPEN || socket._sender?._bufferedBytes !== 0 || !net?.writable) return -1;
  net.write(bytes);
  return net.writableLength;
}

/**
 * How many packets wait in engine.io for the transport to take them. An internal of engine.io, documented as readable on
 * `close`; where it is missing nothing waits as far as we can tell, and only the ping timeout ends a stuck socket.
 */
export function waitingPackets(conn: EngineSocket): number {
  return (conn as unknown as Internals).writeBuffer?.length ?? 0;
}

/** Ends a WebSocket without the closing handshake, which a peer that does not read would leave waiting with all that was buffered for it. */
export function endTransport(conn: EngineSocket): void {
  (conn as unknown as Internals).transport?.socket?.terminate?.();
}

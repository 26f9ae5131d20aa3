import * as ws from "ws";

/** A Socket.IO packet encoded once, for any number of sockets. */
export interface SocketFrame {
  /** The packet's text, for transports that frame it themselves (polling, or WebSocket with compression). */
  readonly text: string;
  /** Handed to engine.io with the text; holds the finished WebSocket frame where that can be made. */
  readonly options: { compress: boolean; wsPreEncodedFrame?: readonly Buffer[] };
}

/** The one internal of `ws` in use: builds a WebSocket frame as its pieces. Feature-detected; without it engine.io frames the text itself. */
type FrameBuilder = (data: Buffer, options: object) => Buffer[];
const sender = (ws as unknown as { Sender?: { frame?: FrameBuilder } }).Sender;
const buildFrame: FrameBuilder | undefined = typeof sender?.frame === "function" ? sender.frame.bind(sender) : undefined;

const FRAME = { readOnly: false, mask: false, rsv1: false, opcode: 1, fin: true };

/** Wraps a Socket.IO packet's text. */
export function toFrame(text: string): SocketFrame {
  if (buildFrame === undefined) return { text, options: { compress: false } };
  // "4" is engine.io's message type. One piece instead of two is one write instead of a corked pair.
  const frame = Buffer.concat(buildFrame(Buffer.from(`4${text}`), FRAME));
  return { text, options: { compress: false, wsPreEncodedFrame: [frame] } };
}

/** The text of an event packet. `args` are JSON texts already. */
export function eventText(namespace: string, event: string, args: readonly string[]): string {
  return `2${namespace},["${event}",${args.join(",")}]`;
}

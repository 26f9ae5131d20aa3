import type { Socket } from "socket.io";
import type { BellwireError } from "@bellwire/protocol";
import type { Codec, Wire } from "../wire/wire.js";
import { cutLater, endTransport, loseTransport, waitingPackets, writeDirectly } from "./engine-internals.js";
import type { SocketFrame } from "./frame.js";
import { socketCodec } from "./socket-codec.js";

/** Packets that may wait for one socket, whatever their size. */
const MAX_WAITING_PACKETS = 10_000;

/** How long a peer may take to read its `bye`, and to end its side: a poll is a round trip away, on a phone's network too. */
const FAREWELL_MS = 2000;

/** A client's Socket.IO socket. */
export class SocketWire implements Wire {
  readonly socket: Socket;
  /** The socket's, for as long as it lives: each write would look it up through two objects. */
  readonly #conn: Socket["conn"];
  #waiting = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    this.#conn = socket.conn;
  }

  get codec(): Codec {
    return socketCodec;
  }

  get id(): string {
    return this.socket.id;
  }

  /** Past socket.io's packets and engine.io's buffer where that can be. */
  write(frame: SocketFrame): number {
    const waiting = writeDirectly(this.#conn, frame);
    if (waiting >= 0) return waiting;
    this.#conn.write(frame.text, frame.options);
    return this.weigh(frame.text.length);
  }

  /**
   * What waits for a socket that does not read: engine.io's buffer has no bound of its own. To be called after each write
   * through engine.io; the buffer is empty while the transport takes what it is given.
   * @param least what it weighs where its size can't be seen
   * @returns as `write`
   */
  weigh(least: number): number {
    const { packets: queued, newest } = waitingPackets(this.#conn);
    if (queued === 0) return (this.#waiting = 0);
    const bytes = Math.max(least, newest);
    this.#waiting = queued === 1 ? bytes : this.#waiting + bytes;
    return queued > MAX_WAITING_PACKETS ? Number.POSITIVE_INFINITY : this.#waiting;
  }

  /**
   * For good with a Socket.IO disconnect, otherwise by losing the transport, after which any Socket.IO client comes back by
   * itself.
   */
  bye(error: BellwireError): void {
    this.socket.emit("bye", error.toJSON());
    if (error.retry !== "never") return loseTransport(this.#conn, FAREWELL_MS);
    this.socket.disconnect(true);
    cutLater(this.#conn, FAREWELL_MS);
  }

  drop(error: BellwireError): void {
    this.socket.emit("bye", error.toJSON());
    this.#conn.close(true);
    endTransport(this.#conn);
  }
}

import { BellwireError } from "@bellwire/protocol";
import { Disconnected } from "../hooks/hooks.js";
import type { Connection } from "../connection/connection.js";
import { Rate } from "../pacing/rate.js";
import type { SocketWire } from "./socket-wire.js";

export type Ack = (reply: object) => void;

/** Handles one client event; what it throws is answered as `{error}`. */
export type Handler = (connection: Connection, args: readonly unknown[], ack: Ack) => Promise<void>;

// A page that opens many components at once sends a few frames, each with many subscriptions.
const FRAMES_PER_SECOND = 50;
const FRAMES_AT_ONCE = 200;
// What one ack is taken to weigh until the socket has taken it, in bytes.
const ACK_BYTES = 256;

/** Hands sockets' packets to the handlers. */
export class Dispatcher {
  readonly #handlers: ReadonlyMap<string, Handler>;
  readonly #refused: (error: unknown) => BellwireError;

  constructor(handlers: ReadonlyMap<string, Handler>, refused: (error: unknown) => BellwireError) {
    this.#handlers = handlers;
    this.#refused = refused;
  }

  /**
   * Takes what a connection sends from now on. Done as a socket.io middleware that never calls on: the events of a client are then
   * never emitted, so that one called "error" can't throw for want of a listener.
   */
  attend(connection: Connection, wire: SocketWire): void {
    wire.socket.use((packet: readonly unknown[]) => this.#take(connection, wire, packet));
  }

  #take(connection: Connection, wire: SocketWire, packet: readonly unknown[]): void {
    const name = packet[0];
    const last = packet[packet.length - 1];
    const acked = typeof last === "function";
    const known = typeof name === "string" ? this.#handlers.get(name) : undefined;
    if (connection.closed || (known === undefined && !acked)) return; // of a newer version: whoever wants to know asks for an ack
    const handler = known ?? unsupported;
    const args = packet.slice(1, acked ? -1 : undefined);
    const ack: Ack = (reply) => {
      if (!acked || connection.closed) return;
      (last as Ack)(reply);
      connection.wrote(wire.weigh(ACK_BYTES));
    };
    const fail = (error: unknown): void => {
      ack({ error: this.#refused(error instanceof Disconnected ? error.error : error).toJSON() });
      if (error instanceof Disconnected && !connection.closed) connection.bye(error.error);
    };
    connection.rate ??= new Rate(FRAMES_AT_ONCE);
    const after = connection.rate.take(FRAMES_PER_SECOND, FRAMES_AT_ONCE);
    if (after > 0) return fail(new BellwireError("limit", "Too many frames at once", { after }));
    try {
      handler(connection, args, ack).catch(fail);
    } catch (error) {
      fail(error);
    }
  }
}

const unsupported: Handler = async () => {
  throw new BellwireError("unsupported", "This relay knows no such event; hello.features names what it offers beyond the basics");
};

import { BellwireError } from "@bellwire/protocol";
import { Disconnected } from "../hooks/hooks.js";
import type { Connection } from "../connection/connection.js";
import { COST, tooMuch } from "../pacing/work.js";
import { pauseReading } from "./engine-internals.js";
import type { SocketWire } from "./socket-wire.js";

type EngineSocket = SocketWire["socket"]["conn"];

export type Ack = (reply: object) => void;

/** Handles one client event; what it throws is answered as `{error}`. */
export type Handler = (connection: Connection, args: readonly unknown[], ack: Ack) => Promise<void>;

// How long a socket that has cost too much is not read at most: its pings have to be answered in time.
const MOST_PAUSE_MS = 1000;
/** What counts its own cost, by what is in it. */
const BY_ITEM = new Set(["subscribe", "unsubscribe", "refresh"]);
// What one ack is taken to weigh until the socket has taken it, in bytes.
const ACK_BYTES = 256;

/** Hands sockets' packets to the handlers. */
export class Dispatcher {
  readonly #handlers: ReadonlyMap<string, Handler>;
  readonly #refused: (error: unknown) => BellwireError;
  readonly #connections = new WeakMap<EngineSocket, Connection>();
  /** One for all sockets. */
  readonly #onPacket: (this: EngineSocket, packet: { readonly data?: unknown }) => void;

  constructor(handlers: ReadonlyMap<string, Handler>, refused: (error: unknown) => BellwireError) {
    this.#handlers = handlers;
    this.#refused = refused;
    const weigh = (conn: EngineSocket, data: unknown): void => this.#weigh(conn, data);
    this.#onPacket = function onPacket({ data }) {
      weigh(this, data);
    };
  }

  /**
   * Takes what a connection sends from now on. Done as a socket.io middleware that never calls on: the events of a client are then
   * never emitted, so that one called "error" can't throw for want of a listener.
   */
  attend(connection: Connection, wire: SocketWire): void {
    const { conn } = wire.socket;
    this.#connections.set(conn, connection);
    conn.on("packet", this.#onPacket);
    wire.socket.use((packet: readonly unknown[]) => this.#take(connection, wire, packet));
  }

  /** Everything that comes costs something, whether or not there is an event in it that we know. */
  #weigh(conn: EngineSocket, data: unknown): void {
    const connection = this.#connections.get(conn);
    if (connection === undefined || connection.closed) return;
    const bytes = typeof data === "string" || data instanceof Uint8Array ? data.length : 0;
    this.#charge(connection, conn, COST.packet + (bytes / 1024) * COST.kibibyte);
  }

  /** Who owes is read more slowly, and who goes on in spite of that is closed. */
  #charge(connection: Connection, conn: EngineSocket, units: number): void {
    if (connection.work.spend(units)) return connection.bye(tooMuch(connection.work.owed()));
    const owed = connection.work.owed();
    if (owed > 0) pauseReading(conn, Math.min(owed, MOST_PAUSE_MS));
  }

  #take(connection: Connection, wire: SocketWire, packet: readonly unknown[]): void {
    const name = packet[0];
    const last = packet[packet.length - 1];
    const acked = typeof last === "function";
    const known = typeof name === "string" ? this.#handlers.get(name) : undefined;
    if (connection.closed) return;
    this.#charge(connection, wire.socket.conn, COST.frame);
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
    const after = connection.work.takeFrame();
    if (after > 0) return fail(new BellwireError("limit", "Too many frames at once", { after }));
    const owed = connection.work.owed();
    if (owed > 0) return fail(tooMuch(owed));
    if (!BY_ITEM.has(name as string)) this.#charge(connection, wire.socket.conn, COST.call);
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

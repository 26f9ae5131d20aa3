import type { Socket } from "socket.io";
import type { BellwireError, ParsedFilter, ParsedGrant } from "@bellwire/protocol";
import type { Arrival } from "../auth/admission.js";
import type { ConnectionPermit } from "../auth/permits.js";
import type { SubscriptionProof } from "../auth/tickets.js";
import type { Asker } from "../hooks/hooks.js";
import type { Scope } from "../revocations/revocation.js";
import type { Feed } from "../feed/feed.js";
import type { Recipient } from "../feed/member.js";
import { eventText, toFrame, type Frame } from "../socket/frame.js";
import { askerOf } from "./asker.js";
import type { HeldSubscriptions } from "./held-subscriptions.js";
import type { Rate } from "../pacing/rate.js";
import { cutLater, endTransport, loseTransport, waitingPackets, writeDirectly } from "../socket/engine-internals.js";

/** Ends a subscription of a connection, if it is still open, and tells the client why. */
export type EndSubscription = (subscription: Subscription, connection: Connection, error: BellwireError) => void;

export interface SubscriptionParts {
  readonly id: string;
  readonly topic: string;
  readonly filter: ParsedFilter;
  readonly feed: Feed;
  readonly proof: SubscriptionProof;
  readonly held: boolean;
  readonly granted: boolean;
  readonly info: unknown;
}

/** One open subscription. */
export class Subscription {
  readonly id: string;
  readonly topic: string;
  readonly filter: ParsedFilter;
  readonly feed: Feed;
  /** What admitted it; its tickets repeat that. */
  proof: SubscriptionProof;
  /** The server made it, so that the client needs no ticket to have it again. */
  readonly held: boolean;
  /** The connection's own grants allow it: it goes on as long as they do. */
  readonly granted: boolean;
  /** Of the user in this topic's presence; undefined: the connection's. */
  readonly info: unknown;
  readonly #end: EndSubscription;

  constructor({ id, topic, filter, feed, proof, held, granted, info }: SubscriptionParts, end: EndSubscription) {
    this.id = id;
    this.topic = topic;
    this.filter = filter;
    this.feed = feed;
    this.proof = proof;
    this.held = held;
    this.granted = granted;
    this.info = info;
    this.#end = end;
  }

  /** Ends it, if it is still open, and tells the client why. */
  end(connection: Connection, error: BellwireError): void {
    this.#end(this, connection, error);
  }
}

/** A subscribe under way; not wanted any more once it was cancelled. */
export interface Intent {
  wanted: boolean;
  /** What is to be heard; undefined until it was read. */
  scope: Scope | undefined;
}

export interface ConnectionHost {
  /** Bytes that may wait for one socket; past it the socket is closed. */
  readonly maxWaitingBytes: number;
  delivered(): void;
  /** The socket can't keep up. Called once, never from inside `send`. */
  slow(connection: Connection): void;
}

/** Packets that may wait for one socket, whatever their size. */
const MAX_WAITING_PACKETS = 10_000;

/** How long a peer may take to read its `bye`, and to end its side: a poll is a round trip away, on a phone's network too. */
const FAREWELL_MS = 2000;

/** One client's socket on its site. */
export class Connection implements Recipient {
  readonly socket: Socket;
  readonly site: string;
  readonly user: string;
  readonly session: string;
  /** The page load's id, or one of ours. */
  readonly client: string;
  /** The browser's headers that backends may see. */
  readonly headers: Readonly<Record<string, string>>;
  permit: ConnectionPermit;
  readonly subscriptions: Map<string, Subscription> = new Map();
  /** Subscribes under way, by id; undefined while there are none. */
  pending: Map<string, Intent> | undefined;
  /** Subscriptions that the server made, or that the client comes back for; undefined where there were none. */
  held: HeldSubscriptions | undefined;
  /** How often it may send frames; undefined until it has sent one. */
  rate: Rate | undefined;
  /** When tickets were last sent, epoch seconds. */
  ticketsAt: number;
  closed = false;
  readonly #host: ConnectionHost;
  #waiting = 0;

  constructor(socket: Socket, permit: ConnectionPermit, { client, headers }: Pick<Arrival, "client" | "headers">, host: ConnectionHost) {
    this.socket = socket;
    this.permit = permit;
    this.site = permit.site;
    this.user = permit.user;
    this.session = permit.session;
    this.client = client;
    this.headers = headers;
    this.ticketsAt = Date.now() / 1000;
    this.#host = host;
  }

  /** Another one after each reconnect. */
  get id(): string {
    return this.socket.id;
  }

  /** This connection, as backends hear of it. */
  get asker(): Asker {
    return askerOf(this);
  }

  get grants(): readonly ParsedGrant[] {
    return this.permit.grants;
  }

  send(frame: Frame): void {
    if (this.closed) return;
    this.#host.delivered();
    this.#write(frame);
  }

  /** Sends an event, past socket.io's packets and engine.io's buffer where that can be. */
  tell(event: string, ...args: readonly unknown[]): void {
    if (this.closed) return;
    const texts = args.map((arg) => JSON.stringify(arg));
    this.#write(toFrame(eventText(this.socket.nsp.name, event, texts)));
  }

  #write(frame: Frame): void {
    const { conn } = this.socket;
    const waiting = writeDirectly(conn, frame);
    if (waiting > this.#host.maxWaitingBytes) this.#tooSlow();
    if (waiting >= 0) return;
    conn.write(frame.text, frame.options);
    this.weigh(frame.text.length);
  }

  /**
   * Bounds what waits for a socket that does not read: engine.io's buffer has no bound of its own. Called after each write
   * through engine.io; the buffer is empty while the transport takes what it is given.
   * @param least what it weighs where its size can't be seen
   */
  weigh(least: number): void {
    const { packets: queued, newest } = waitingPackets(this.socket.conn);
    if (queued === 0) {
      this.#waiting = 0;
      return;
    }
    const bytes = Math.max(least, newest);
    this.#waiting = queued === 1 ? bytes : this.#waiting + bytes;
    if (this.#waiting > this.#host.maxWaitingBytes || queued > MAX_WAITING_PACKETS) this.#tooSlow();
  }

  #tooSlow(): void {
    if (this.closed) return;
    this.closed = true;
    // Later: whoever is sending may be walking the rooms that closing changes.
    setImmediate(() => this.#host.slow(this));
  }

  /**
   * Says why, then closes: for good with a Socket.IO disconnect, otherwise by losing the transport, after which any Socket.IO
   * client comes back by itself.
   */
  bye(error: BellwireError): void {
    const { conn } = this.socket;
    this.closed = true;
    this.socket.emit("bye", error.toJSON());
    if (error.retry !== "never") return loseTransport(conn, FAREWELL_MS);
    this.socket.disconnect(true);
    cutLater(conn, FAREWELL_MS);
  }

  /** Closes without waiting for what the socket never took. */
  drop(error: BellwireError): void {
    this.closed = true;
    this.socket.emit("bye", error.toJSON());
    this.socket.conn.close(true);
    endTransport(this.socket.conn);
  }
}

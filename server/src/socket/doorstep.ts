import type { Server, Socket } from "socket.io";
import { BellwireError, siteOfNamespace } from "@bellwire/protocol";
import { CONTROL_NAMESPACE } from "@bellwire/emitter/redis";
import { Rate } from "../pacing/rate.js";
import type { Addresses } from "./addresses.js";
import type { BoundedWebSocket } from "./bounded-websocket.js";
import { UNREAD_BEFORE_ADMISSION } from "./bounded-websocket.js";
import { cutOff, setLargestBody, waitingPackets } from "./engine-internals.js";

type EngineSocket = Socket["conn"];

/** Engine.IO messages that a client may send before it is admitted: it needs one, and a few more where it is refused at first. */
const MESSAGES = 16;
/** Bytes of one frame or request body before that: a token, and the positions of subscriptions that the server made. */
const BODY_BYTES = 262_144;
/** Nobody is named so; whoever asks for a longer one hears nothing of it. */
const LONGEST_NAME = 8192;
/** How long a socket may stay without being admitted, milliseconds: socket.io's own end comes after it, and waits for the peer. */
const PATIENCE_MS = 9500;
const SWEEP_MS = 250;
/** After its refusal, where nobody else sends it away. */
const FAREWELL_MS = 3000;
/** Namespaces that an admitted client may ask for beside its own. */
const OTHERS_PER_SECOND = 20;
const OTHERS_AT_ONCE = 100;
/** Refusals that may wait for it to read them. */
const OTHERS_UNREAD = 1000;
/** A client asks once whether a WebSocket works before it changes to it. */
const PROBES = 8;

/** What is known of an engine connection from its first packet on. */
interface Visit {
  since: number;
  messages: number;
  probes: number;
  /** The namespace it has asked for, while that is being decided, and from then on that which it is in. */
  namespace: string | undefined;
  admitted: boolean;
  others: Rate | undefined;
  sentAway: boolean;
  /** Where it comes from, if that can be told. */
  readonly address: string | undefined;
  /** Gives back its place among those that wait. */
  leave: (() => void) | undefined;
}

export interface DoorstepOptions {
  /** Bytes of the largest frame or body that an admitted client may send. */
  readonly maxFrameBytes: number;
  /** Bytes that may wait for an admitted client. */
  readonly maxWaitingBytes: number;
  /** Told of each refusal given here. */
  readonly onRefused: (error: BellwireError) => void;
  readonly addresses: Pick<Addresses, "of" | "arrive">;
  readonly now?: () => number;
}

const VISIT = Symbol("visit");

/** Kept on the connection itself: a map of all of them would be larger. */
interface Visited {
  [VISIT]?: Visit;
}

/**
 * Stands before socket.io: bounds what a client can have done before it is admitted, and refuses every namespace that is no
 * site's before anything is built for it. For each CONNECT socket.io would build a namespace, a socket and a promise, and
 * a hundred thousand of them fit into one request.
 */
export class Doorstep {
  readonly #options: DoorstepOptions;
  readonly #now: () => number;
  /** In the order in which they came. */
  readonly #waiting = new Set<EngineSocket>();
  readonly #onPacket: (this: EngineSocket, packet: { type: string; data?: unknown }) => void;
  readonly #onProbe: (this: EngineSocket) => void;
  readonly #onUpgrade: (this: EngineSocket) => void;
  readonly #sweep: NodeJS.Timeout;

  constructor(io: Server, options: DoorstepOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    // One of each for all connections: a closure for each would be kept as long as it.
    const take = (conn: EngineSocket, packet: { type: string; data?: unknown }): void => this.#take(conn, packet);
    this.#onPacket = function onPacket(packet) {
      take(this, packet);
    };
    this.#onProbe = function onProbe() {
      const visit = visitOf(this);
      if (visit !== undefined && ++visit.probes > PROBES) cutOff(this);
    };
    const bound = (conn: EngineSocket): void => this.#bound(conn);
    this.#onUpgrade = function onUpgrade() {
      bound(this);
    };
    io.engine.on("connection", (conn: EngineSocket) => this.#arrived(conn));
    this.#sweep = setInterval(() => this.#endSilent(), SWEEP_MS);
    this.#sweep.unref();
  }

  /** Connections that were not admitted yet. */
  get waiting(): number {
    return this.#waiting.size;
  }

  close(): void {
    clearInterval(this.#sweep);
  }

  #arrived(conn: EngineSocket): void {
    const { addresses } = this.#options;
    const address = addresses.of(conn.request);
    const visit: Visit = {
      since: this.#now(),
      messages: 0,
      probes: 0,
      namespace: undefined,
      admitted: false,
      others: undefined,
      sentAway: false,
      address,
      leave: undefined,
    };
    (conn as Visited)[VISIT] = visit;
    this.#wait(conn, visit, addresses.arrive(address));
    this.#bound(conn);
    conn.on("packet", this.#onPacket as never);
    if (conn.transport.name !== "polling") return;
    conn.on("upgrading", this.#onProbe);
    conn.once("upgrade", this.#onUpgrade);
  }

  #wait(conn: EngineSocket, visit: Visit, leave: () => void): void {
    this.#waiting.add(conn);
    const gone = (): void => visit.leave?.();
    visit.leave = (): void => {
      visit.leave = undefined;
      conn.removeListener("close", gone);
      this.#waiting.delete(conn);
      leave();
    };
    conn.once("close", gone);
  }

  #bound(conn: EngineSocket): void {
    const { maxFrameBytes, maxWaitingBytes } = this.#options;
    const admitted = visitOf(conn)?.admitted === true;
    setLargestBody(conn, admitted ? maxFrameBytes : BODY_BYTES);
    const ws = (conn.transport as { socket?: Partial<BoundedWebSocket> }).socket;
    if (ws?.mostUnread !== undefined) ws.mostUnread = admitted ? maxWaitingBytes : UNREAD_BEFORE_ADMISSION;
  }

  #take(conn: EngineSocket, packet: { type: string; data?: unknown }): void {
    const visit = visitOf(conn);
    if (visit === undefined || packet.type !== "message") return;
    if (!visit.admitted && ++visit.messages > MESSAGES) return cutOff(conn);
    const { data } = packet;
    if (typeof data !== "string") return;
    if (visit.admitted && data === `1${visit.namespace},`) {
      // It leaves: what it asks for next is decided anew, once socket.io has dealt with this.
      visit.admitted = false;
      visit.namespace = undefined;
      return;
    }
    const name = namespaceOf(data);
    if (name === undefined || (visit.admitted && name === visit.namespace)) return;
    const refused = visit.admitted || visit.namespace !== undefined ? SECOND : refusalOf(name);
    if (refused === undefined) {
      visit.namespace = name;
      return;
    }
    packet.type = "noop"; // engine.io passes on what is a message
    this.#refuse(conn, visit, name, refused());
  }

  #refuse(conn: EngineSocket, visit: Visit, name: string, error: BellwireError): void {
    if (visit.admitted) {
      visit.others ??= new Rate(OTHERS_AT_ONCE);
      const tooMany = visit.others.take(OTHERS_PER_SECOND, OTHERS_AT_ONCE) > 0 || waitingPackets(conn).packets > OTHERS_UNREAD;
      if (tooMany) return cutOff(conn);
    }
    if (name.length > LONGEST_NAME) return cutOff(conn);
    this.#options.onRefused(error);
    const answer = JSON.stringify({ message: error.message, data: error.toJSON() });
    conn.write(`4${name === "/" ? "" : `${name},`}${answer}`, { compress: false });
    if (visit.namespace === undefined) this.#sendAway(conn);
  }

  /** Some libraries ask for `/` first whatever they are told to: whoever asks for a site before its time is up stays. */
  #sendAway(conn: EngineSocket): void {
    const visit = visitOf(conn);
    if (visit === undefined || visit.sentAway) return;
    visit.sentAway = true;
    const gone = (): void => clearTimeout(timer);
    const timer = setTimeout(() => {
      conn.removeListener("close", gone);
      visit.sentAway = false;
      if (visit.namespace !== undefined) return;
      conn.close();
      setTimeout(() => cutOff(conn), FAREWELL_MS).unref();
    }, FAREWELL_MS);
    timer.unref();
    conn.once("close", gone);
  }

  /** The namespace it asked for was refused. It may ask again, for any; whoever is to come back is sent away elsewhere. */
  refused(conn: EngineSocket, { retry }: Pick<BellwireError, "retry">): void {
    const visit = visitOf(conn);
    if (visit === undefined || visit.admitted) return;
    visit.namespace = undefined;
    if (retry === "never") this.#sendAway(conn);
  }

  admitted(conn: EngineSocket, namespace: string): void {
    const visit = visitOf(conn);
    if (visit === undefined) return;
    visit.namespace = namespace;
    visit.admitted = true;
    visit.leave?.();
    this.#bound(conn);
  }

  /** Where a connection comes from, if that can be told. */
  addressOf(conn: EngineSocket): string | undefined {
    return visitOf(conn)?.address;
  }

  /** It has left its site, with or without its transport. Without one it has as long as at first. */
  left(conn: EngineSocket): void {
    const visit = visitOf(conn);
    if (visit === undefined || conn.readyState !== "open") return;
    if (visit.admitted) visit.namespace = undefined;
    visit.admitted = false;
    visit.since = this.#now();
    this.#wait(conn, visit, this.#options.addresses.arrive(visit.address));
  }

  /** Ends those that were not admitted in time. */
  #endSilent(): void {
    const before = this.#now() - PATIENCE_MS;
    for (const conn of this.#waiting) {
      if ((visitOf(conn)?.since ?? 0) > before) return;
      cutOff(conn);
      this.#waiting.delete(conn);
    }
  }
}

function visitOf(conn: EngineSocket): Visit | undefined {
  return (conn as Visited)[VISIT];
}

/** The namespace that a Socket.IO packet asks to be connected to; undefined: it is another packet. */
function namespaceOf(packet: string): string | undefined {
  if (packet[0] !== "0") return undefined;
  if (packet[1] !== "/") return "/";
  const end = packet.indexOf(",");
  return end < 0 ? packet.slice(1) : packet.slice(1, end);
}

/** What is to be said of a namespace that nobody may enter; undefined: it is a site's. */
function refusalOf(name: string): (() => BellwireError) | undefined {
  if (siteOfNamespace(name) !== undefined) return undefined;
  return name === "/" || name === CONTROL_NAMESPACE ? CLOSED : UNKNOWN;
}

const CLOSED = (): BellwireError => new BellwireError("forbidden", "Connect to /site/<site>");
const UNKNOWN = (): BellwireError => new BellwireError("not-found", "There is no such namespace: connect to /site/<site>");
const SECOND = (): BellwireError => new BellwireError("bad-request", "One connection holds one site: open another connection");

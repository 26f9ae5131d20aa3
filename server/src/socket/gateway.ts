import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import cors from "cors";
import { Server, type Socket } from "socket.io";
import { asObject, BellwireError, parseTopic, siteOfNamespace } from "@bellwire/protocol";
import { CONTROL_NAMESPACE } from "@bellwire/emitter/redis";
import type { Admission } from "../auth/admission.js";
import type { Settings } from "../config/settings.js";
import type { Logger } from "../observe/logger.js";
import { encodesRaw } from "../wire/raw-json.js";
import type { ClientCalls } from "../connection/client-calls.js";
import { Connection } from "../connection/connection.js";
import type { Addresses } from "./addresses.js";
import { BoundedWebSocketServer } from "./bounded-websocket.js";
import { Dispatcher, type Handler } from "./dispatch.js";
import { Doorstep } from "./doorstep.js";
import { corkUpgrade, corkWrites, dropHandshake, isUpgrade, trimSocket } from "./engine-internals.js";
import { parseHeldSince } from "../connection/held-subscriptions.js";
import type { Lifetimes } from "../connection/lifetimes.js";
import type { Admitted, Reception } from "../connection/reception.js";
import { Namespaces } from "./namespaces.js";
import { corsOptions } from "./cors-options.js";
import { allowsAll, isAllowedOrigin, type AllowedOrigins } from "../config/origins.js";
import { refresh, type RefreshOptions } from "../connection/refresh.js";
import { Refusals } from "./refusals.js";
import { RoomlessAdapter } from "./roomless-adapter.js";
import { SocketWire } from "./socket-wire.js";
import type { Seats, Sitter } from "../connection/seats.js";
import type { Subscriptions } from "../connection/subscriptions.js";

export interface GatewayOptions {
  readonly reception: Reception;
  readonly admission: Admission;
  readonly subscriptions: Subscriptions;
  readonly logger: Logger;
  /** Of sites that have none of their own; for the log. */
  readonly origins: AllowedOrigins;
  readonly settings: Settings;
  readonly addresses: Addresses;
  readonly seats: Seats;
  /** Bytes of the largest frame or request body a client may send. */
  readonly maxFrameBytes: number;
  readonly calls: ClientCalls;
  readonly lifetimes: Lifetimes;
  /** Answers who is present on a topic. */
  readonly presence: (connection: Connection, topic: string) => Promise<object>;
}

const CLOSE_GRACE_MS = 500;
const CONNECT_TIMEOUT_MS = 10_000;
const NO_HANDSHAKE = Object.freeze({ auth: {}, headers: {}, query: {} });

/** The Socket.IO sockets of a relay: brings them to the reception, and hands their events to the handlers. */
export class Gateway {
  readonly #io: Server;
  readonly #http: HttpServer;
  readonly #options: GatewayOptions;
  readonly #reception: Reception;
  readonly #namespaces: Namespaces;
  readonly #dispatcher: Dispatcher;
  readonly #doorstep: Doorstep;
  /** One for all sockets: a closure for each would be kept as long as it. */
  readonly #onDisconnect: (this: Socket, reason: string) => void;
  /** Engine connections that are in a site, or on the way into one: each holds one site only. */
  readonly #taken = new WeakSet<object>();
  readonly #refusals = new Refusals((client) => this.#taken.has(client));

  constructor(http: HttpServer, options: GatewayOptions) {
    this.#options = options;
    this.#reception = options.reception;
    this.#http = http;
    const { subscriptions } = options;
    const gone = (socket: Socket, reason: string): void => this.#gone(socket, reason);
    this.#onDisconnect = function onDisconnect(reason) {
      gone(this, reason);
    };
    const handlers = new Map<string, Handler>([
      ["subscribe", (connection, [list], ack) => subscriptions.subscribe(connection, list, ack)],
      [
        "unsubscribe",
        async (connection, [list], ack) => {
          subscriptions.unsubscribe(connection, list);
          ack({});
        },
      ],
      ["publish", async (connection, [request], ack) => ack(await options.calls.publish(connection, request))],
      ["rpc", async (connection, [request], ack) => ack(await options.calls.rpc(connection, request))],
      ["presence", async (connection, [request], ack) => ack(await options.presence(connection, parsePresence(request)))],
      ["refresh", async (connection, [request], ack) => ack(await refresh(connection, request, this.#refreshing(connection.site)))],
    ]);
    this.#dispatcher = new Dispatcher(handlers, (error) => this.#reception.refused(error));
    this.#io = new Server(http, {
      path: "/socket.io/",
      adapter: RoomlessAdapter,
      serveClient: false,
      pingInterval: 15_000,
      pingTimeout: 10_000,
      connectTimeout: CONNECT_TIMEOUT_MS,
      maxHttpBufferSize: options.maxFrameBytes,
      wsEngine: BoundedWebSocketServer,
      perMessageDeflate: false,
      httpCompression: false,
      allowRequest: (request, answer) => {
        const { origin } = request.headers;
        const allowed = this.#isAllowedSomewhere(origin);
        if (!allowed) options.logger.originRefused(origin as string, options.origins === "localhost" ? [] : options.origins);
        if (allowed) corkUpgrade(request); // the answer to it and engine.io's first packet: one write
        answer(allowed ? null : "Origin not allowed", allowed);
      },
    });
    this.#io.engine.on("connection_error", ({ message }: { message: string }) => this.#reception.refusedHandshake(message));
    encodesRaw(this.#io.encoder);
    this.#doorstep = new Doorstep(this.#io, {
      addresses: options.addresses,
      maxFrameBytes: options.maxFrameBytes,
      maxWaitingBytes: this.#reception.maxWaitingBytes,
      onRefused: (error) => void this.#reception.refused(error),
    });
    // For polling only: a browser asks nobody before it opens a WebSocket.
    const everybody = [...options.settings.all()].some(({ origins }) => allowsAll(origins));
    const allowOrigin = cors(corsOptions(everybody, (origin) => this.#isAllowedSomewhere(origin)));
    this.#io.engine.use((request: IncomingMessage, response: ServerResponse, next: (error?: Error) => void) => {
      if (isUpgrade(request)) next();
      else allowOrigin(request as never, response as never, next);
    });
    for (const closedNamespace of ["/", CONTROL_NAMESPACE]) {
      this.#io.of(closedNamespace).use((_socket, next) => next(connectError(new BellwireError("forbidden", "Connect to /site/<site>"))));
    }
    // Every name, so that a refusal always carries its error: socket.io's own for an unknown name has no data.
    const parent = this.#io.of((_name, _auth, next) => next(null, true));
    this.#namespaces = new Namespaces(this.#io, parent);
    parent.use((socket, next) => {
      this.#enter(socket).then(
        () => next(),
        (error: unknown) => {
          const refused = this.#reception.turnedAway(siteOfNamespace(socket.nsp.name), error);
          this.#doorstep.refused(socket.conn, refused);
          next(connectError(refused));
          this.#refusals.add(socket.client, refused);
        },
      );
    });
    parent.on("connection", (socket) => this.#connected(socket));
  }

  /** The Socket.IO server itself, for what has to be attached to it. */
  get io(): Server {
    return this.#io;
  }

  get connections(): ReadonlySet<Connection> {
    return this.#reception.connections;
  }

  get siteCount(): number {
    return this.#namespaces.size;
  }

  /** Which site a socket is for is not known before it has a connection. */
  #isAllowedSomewhere(origin: string | undefined): boolean {
    for (const { origins } of this.#options.settings.all()) if (isAllowedOrigin(origins, origin)) return true;
    return false;
  }

  /** Admits a socket to its site, or rejects. Either way nothing is left behind. */
  async #enter(socket: Socket): Promise<void> {
    const { client, nsp } = socket;
    this.#namespaces.enter(nsp);
    let first = false;
    try {
      const site = siteOfNamespace(nsp.name);
      if (site === undefined) throw new BellwireError("not-found", "There is no such namespace: connect to /site/<site>");
      if (this.#taken.has(client)) throw new BellwireError("bad-request", "One connection holds one site: open another connection");
      first = true;
      this.#taken.add(client);
      const { auth, headers } = socket.handshake;
      if (!isAllowedOrigin(this.#options.settings.of(site).origins, headers.origin)) {
        throw new BellwireError("forbidden", "Pages of this origin may not connect to this site: its origins do not list it");
      }
      const admitted = await this.#reception.admit(site, { id: socket.id, auth, headers });
      this.#seat(socket, admitted.admitted.permit);
      socket.data = admitted;
      corkWrites(socket.conn); // socket.io's own answer and our hello: one write
    } catch (error) {
      if (first) this.#taken.delete(client);
      throw error;
    } finally {
      this.#namespaces.entered(nsp);
    }
  }

  /** Takes a place for a socket that is to be admitted. socket.io admits it in this turn of the event loop, or never. */
  #seat(socket: Socket, permit: Sitter): void {
    const { seats } = this.#options;
    const address = this.#doorstep.addressOf(socket.conn);
    seats.take(permit, address);
    setImmediate(() => {
      if (!(socket.data instanceof Connection)) seats.leave(permit, address);
    });
  }

  #connected(socket: Socket): void {
    const { arrival, admitted } = socket.data as Admitted;
    const auth = socket.handshake.auth as Record<string, unknown>;
    const wire = new SocketWire(socket);
    const connection = new Connection(wire, admitted.permit, arrival, this.#reception);
    connection.held = parseHeldSince(auth.since, this.#options.settings.of(connection.site).limits.subscriptionsPerConnection);
    this.#doorstep.admitted(socket.conn, socket.nsp.name);
    // They hold headers, query and token for as long as the socket lives: nobody needs them any more.
    (socket as { handshake: unknown }).handshake = NO_HANDSHAKE;
    dropHandshake(socket.conn);
    socket.data = connection;
    this.#dispatcher.attend(connection, wire);
    socket.on("disconnect", this.#onDisconnect);
    trimSocket(socket);
    this.#reception.open(connection, admitted.ticket);
  }

  #gone(socket: Socket, reason: string): void {
    this.#reception.gone(socket.data as Connection, reason);
    this.#taken.delete(socket.client);
    this.#options.seats.leave(socket.data as Connection, this.#doorstep.addressOf(socket.conn));
    this.#doorstep.left(socket.conn);
    this.#namespaces.reap(socket.nsp);
  }

  #refreshing(site: string): RefreshOptions {
    const { admission, lifetimes, settings } = this.#options;
    return { admission, lifetimes, most: settings.of(site).limits.subscriptionsPerFrame };
  }

  /** Closes all sockets and stops accepting. What the clients are told was told before. */
  async close(): Promise<void> {
    this.#doorstep.close();
    const closed = this.#io.close();
    // A response that nobody reads would keep the server open for ever.
    const impatient = setTimeout(() => this.#http.closeAllConnections(), CLOSE_GRACE_MS);
    await closed;
    clearTimeout(impatient);
  }
}

function parsePresence(request: unknown): string {
  const source = asObject(request);
  if (source === undefined) throw new BellwireError("bad-request", "presence takes {topic}");
  return parseTopic(source.topic);
}

/** socket.io passes `data` of a middleware's error on as `err.data`. */
function connectError(error: BellwireError): Error & { data: unknown } {
  return Object.assign(new Error(error.message), { data: error.toJSON() });
}

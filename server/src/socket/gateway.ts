import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import cors from "cors";
import { Server, type Socket } from "socket.io";
import { asObject, BellwireError, isWellFormed, limits, parseTopic, siteOfNamespace, VERSION, type Hello } from "@bellwire/protocol";
import { CONTROL_NAMESPACE } from "@bellwire/emitter/redis";
import type { Admission, AdmittedConnection, Arrival } from "../auth/admission.js";
import { toBellwireError } from "../connection/failure.js";
import { Disconnected } from "../hooks/hooks.js";
import type { Logger } from "../observe/logger.js";
import type { RefusalLog } from "../observe/refusal-log.js";
import { encodesRaw } from "./raw-json.js";
import type { Stats } from "../observe/stats.js";
import type { ClientCalls } from "../connection/client-calls.js";
import { Connection, type ConnectionHost } from "../connection/connection.js";
import { Dispatcher, type Handler } from "./dispatch.js";
import { corkUpgrade, corkWrites, dropHandshake, isUpgrade, trimSocket } from "./engine-internals.js";
import { parseHeldSince } from "../connection/held-subscriptions.js";
import type { Lifetimes } from "../connection/lifetimes.js";
import { Namespaces } from "./namespaces.js";
import type { ConnectionObserver } from "../connection/observers.js";
import { isAllowedOrigin, type AllowedOrigins } from "./origins.js";
import { refresh, type RefreshOptions } from "../connection/refresh.js";
import { Refusals } from "./refusals.js";
import { RoomlessAdapter } from "./roomless-adapter.js";
import type { Subscriptions } from "../connection/subscriptions.js";

export interface GatewayOptions {
  /** Those that are open, kept by the gateway for everybody. */
  readonly connections: Set<Connection>;
  /** Told of connections in this order. */
  readonly observers: readonly ConnectionObserver[];
  readonly admission: Admission;
  readonly subscriptions: Subscriptions;
  readonly stats: Stats;
  readonly logger: Logger;
  /** Tells the operator why connections are refused. */
  readonly refusals: Pick<RefusalLog, "refused">;
  readonly origins: AllowedOrigins;
  readonly maxWaitingBytes: number;
  /** Bytes of the largest frame or request body a client may send. */
  readonly maxFrameBytes: number;
  /** Bytes of one message's data. */
  readonly maxDataBytes: number;
  readonly calls: ClientCalls;
  readonly lifetimes: Lifetimes;
  /** Answers who is present on a topic. */
  readonly presence: (connection: Connection, topic: string) => Promise<object>;
  /** What of a browser's headers backends may see. */
  readonly passedHeaders: (headers: IncomingHttpHeaders) => Readonly<Record<string, string>>;
  /** What `hello.features` names. */
  readonly features: () => readonly string[];
}

/** What a socket carries from its admission to its connection. */
interface Entry {
  readonly arrival: Arrival;
  readonly admitted: AdmittedConnection;
}

const CLOSE_GRACE_MS = 500;
const CONNECT_TIMEOUT_MS = 10_000;
const NO_HANDSHAKE = Object.freeze({ auth: {}, headers: {}, query: {} });

/** The sockets of a relay: admits connections to their sites, says hello, and hands their events to the handlers. */
export class Gateway implements ConnectionHost {
  readonly #io: Server;
  readonly #http: HttpServer;
  readonly #options: GatewayOptions;
  readonly #namespaces: Namespaces;
  readonly #dispatcher: Dispatcher;
  /** One for all sockets: a closure for each would be kept as long as it. */
  readonly #onDisconnect: (this: Socket) => void;
  /** Engine connections that are in a site, or on the way into one: each holds one site only. */
  readonly #taken = new WeakSet<object>();
  readonly #refusals = new Refusals((client) => this.#taken.has(client));
  readonly connections: Set<Connection>;
  readonly maxWaitingBytes: number;
  /** While set, nobody new is admitted. */
  refusal: BellwireError | undefined;
  /** Told of each new connection, after its hello. */
  onConnection: ((connection: Connection) => void) | undefined;
  readonly observers: readonly ConnectionObserver[];

  constructor(http: HttpServer, options: GatewayOptions) {
    this.#options = options;
    this.#http = http;
    this.connections = options.connections;
    this.observers = options.observers;
    this.maxWaitingBytes = options.maxWaitingBytes;
    const { subscriptions } = options;
    const gone = (connection: Connection): void => this.#gone(connection);
    this.#onDisconnect = function onDisconnect() {
      gone(this.data as Connection);
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
      ["refresh", async (connection, [request], ack) => ack(await refresh(connection, request, this.#refreshing()))],
    ]);
    this.#dispatcher = new Dispatcher(handlers, (error) => this.#refused(error));
    this.#io = new Server(http, {
      path: "/socket.io/",
      adapter: RoomlessAdapter,
      serveClient: false,
      pingInterval: 15_000,
      pingTimeout: 10_000,
      connectTimeout: CONNECT_TIMEOUT_MS,
      maxHttpBufferSize: options.maxFrameBytes,
      perMessageDeflate: false,
      httpCompression: false,
      allowRequest: (request, answer) => {
        const { origin } = request.headers;
        const allowed = isAllowedOrigin(options.origins, origin);
        if (!allowed) options.logger.originRefused(origin as string, options.origins === "localhost" ? [] : options.origins);
        if (allowed) corkUpgrade(request); // the answer to it and engine.io's first packet: one write
        answer(allowed ? null : "Origin not allowed", allowed);
      },
    });
    encodesRaw(this.#io.encoder);
    // For polling only: a browser asks nobody before it opens a WebSocket.
    const allowOrigin = cors({ origin: (origin, answer) => answer(null, isAllowedOrigin(options.origins, origin)), credentials: true });
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
          const refused = this.#turnedAway(socket, error);
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

  get siteCount(): number {
    return this.#namespaces.size;
  }

  /** Admits a socket to its site, or rejects. Either way nothing is left behind. */
  async #enter(socket: Socket): Promise<void> {
    const { client, nsp } = socket;
    const options = this.#options;
    this.#namespaces.enter(nsp);
    let first = false;
    try {
      const site = siteOfNamespace(nsp.name);
      if (site === undefined) throw new BellwireError("not-found", "There is no such namespace: connect to /site/<site>");
      if (this.#taken.has(client)) throw new BellwireError("bad-request", "One connection holds one site: open another connection");
      first = true;
      this.#taken.add(client);
      if (this.refusal !== undefined) throw this.refusal;
      const auth = socket.handshake.auth as Record<string, unknown>;
      // In Java, `auth` is a map of strings.
      if (auth.v !== undefined && auth.v !== VERSION && auth.v !== String(VERSION))
        throw new BellwireError("unsupported", `This relay speaks version ${VERSION}`);
      const arrival: Arrival = { id: socket.id, client: clientId(auth.client), headers: options.passedHeaders(socket.handshake.headers) };
      socket.data = { arrival, admitted: await options.admission.connect(site, auth, arrival) } satisfies Entry;
      corkWrites(socket.conn); // socket.io's own answer and our hello: one write
    } catch (error) {
      if (first) this.#taken.delete(client);
      throw error;
    } finally {
      this.#namespaces.entered(nsp);
    }
  }

  #connected(socket: Socket): void {
    const { arrival, admitted } = socket.data as Entry;
    const { permit, ticket } = admitted;
    const auth = socket.handshake.auth as Record<string, unknown>;
    const { subscriptions, admission } = this.#options;
    const connection = new Connection(socket, permit, arrival, this);
    connection.held = parseHeldSince(auth.since, subscriptions.limits.perConnection);
    // They hold headers, query and token for as long as the socket lives: nobody needs them any more.
    (socket as { handshake: unknown }).handshake = NO_HANDSHAKE;
    dropHandshake(socket.conn);
    socket.data = connection;
    this.connections.add(connection);
    this.#dispatcher.attend(connection);
    socket.on("disconnect", this.#onDisconnect);
    trimSocket(socket);
    connection.tell("hello", this.#hello(connection, ticket));
    try {
      admission.checkRevoked(connection, permit); // it may have been since the socket was admitted
    } catch (error) {
      return connection.bye(this.#refused(error));
    }
    for (const observer of this.observers) observer.opened(connection);
    this.onConnection?.(connection);
  }

  #gone(connection: Connection): void {
    const { socket } = connection;
    this.connections.delete(connection);
    this.#options.subscriptions.endAll(connection);
    for (const observer of this.observers) observer.gone(connection);
    this.#taken.delete(socket.client);
    this.#namespaces.reap(socket.nsp);
  }

  #hello(connection: Connection, ticket: string | undefined): Hello {
    const { permit } = connection;
    const { subscriptions, admission, maxDataBytes, maxFrameBytes } = this.#options;
    return {
      v: VERSION,
      user: permit.user === "" ? null : permit.user,
      session: permit.session === "" ? null : permit.session,
      client: connection.client,
      ticket: ticket ?? admission.tickets.forConnection(permit, Date.now() / 1000),
      ...(permit.until === undefined ? {} : { until: permit.until }),
      time: Date.now(),
      limits: {
        subscriptions: subscriptions.limits.perConnection,
        subscriptionsPerFrame: subscriptions.limits.perFrame,
        dataBytes: maxDataBytes,
        frameBytes: maxFrameBytes,
      },
      features: this.#options.features(),
    };
  }

  #refreshing(): RefreshOptions {
    const { admission, lifetimes, subscriptions } = this.#options;
    return { admission, lifetimes, most: subscriptions.limits.perFrame };
  }

  #turnedAway({ nsp }: Socket, error: unknown): BellwireError {
    const refused = this.#refused(error);
    const site = siteOfNamespace(nsp.name);
    if (site !== undefined) this.#options.refusals.refused(site, "connection", refused);
    return refused;
  }

  #refused(error: unknown): BellwireError {
    const refused = toBellwireError(error instanceof Disconnected ? error.error : error);
    this.#options.stats.refuse(refused.code);
    if (refused.code === "internal") this.#options.logger.failure("socket", refused.cause ?? refused);
    return refused;
  }

  delivered(): void {
    this.#options.stats.deliveries++;
  }

  slow(connection: Connection): void {
    this.#options.stats.slow++;
    connection.drop(new BellwireError("slow", "The client does not read fast enough; it resumes from its position"));
  }

  /** Closes all sockets and stops accepting. */
  async close(): Promise<void> {
    for (const connection of this.connections) connection.bye(new BellwireError("draining", "The relay is going away"));
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

function clientId(value: unknown): string {
  const usable = typeof value === "string" && value.length > 0 && value.length <= limits.keyLength && isWellFormed(value);
  return usable ? value : randomUUID();
}

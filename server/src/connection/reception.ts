import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { BellwireError, isWellFormed, limits, VERSION, type Hello } from "@bellwire/protocol";
import type { Admission, AdmittedConnection, Arrival } from "../auth/admission.js";
import { Disconnected } from "../hooks/hooks.js";
import type { Settings } from "../config/settings.js";
import type { Logger } from "../observe/logger.js";
import type { RefusalLog } from "../observe/refusal-log.js";
import type { Stats } from "../observe/stats.js";
import type { Connection, ConnectionHost } from "./connection.js";
import { toBellwireError } from "./failure.js";
import type { ConnectionObserver } from "./observers.js";
import type { Subscriptions } from "./subscriptions.js";

export interface ReceptionOptions {
  /** Those that are open, kept here for everybody. */
  readonly connections: Set<Connection>;
  /** Told of connections in this order. */
  readonly observers: readonly ConnectionObserver[];
  readonly admission: Admission;
  readonly subscriptions: Subscriptions;
  readonly stats: Stats;
  readonly logger: Logger;
  /** Tells the operator why connections are refused. */
  readonly refusals: Pick<RefusalLog, "refused">;
  /** Bytes that may wait for one client. */
  readonly maxWaitingBytes: number;
  /** Bytes of the largest frame or request body a client may send. */
  readonly maxFrameBytes: number;
  readonly settings: Pick<Settings, "of">;
  /** What of a browser's headers backends may see. */
  readonly passedHeaders: (headers: IncomingHttpHeaders) => Readonly<Record<string, string>>;
  /** What `hello.features` names. */
  readonly features: (site: string) => readonly string[];
  /** Why nobody new is admitted now; undefined while newcomers are. */
  readonly refusal: () => BellwireError | undefined;
}

/** Somebody who wants in, as each wire has it. */
export interface Caller {
  /** The connection's id. */
  readonly id: string;
  /** What it says of itself: `v`, `token`, `ticket`, `data`, `client`; unchecked. */
  readonly auth: Readonly<Record<string, unknown>>;
  readonly headers: IncomingHttpHeaders;
}

/** What somebody carries from the admission to the connection. */
export interface Admitted {
  readonly arrival: Arrival;
  readonly admitted: AdmittedConnection;
}

/** Takes connections in and lets them go, whatever wire they come over. */
export class Reception implements ConnectionHost {
  readonly #options: ReceptionOptions;
  readonly connections: Set<Connection>;
  readonly observers: readonly ConnectionObserver[];
  readonly maxWaitingBytes: number;

  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.connections = options.connections;
    this.observers = options.observers;
    this.maxWaitingBytes = options.maxWaitingBytes;
  }

  /**
   * Admits somebody to a site, or rejects; either way nothing is left behind.
   * @param as what the admission takes them for
   */
  async admit(site: string, { id, auth, headers }: Caller, as: "connect" | "visit" = "connect"): Promise<Admitted> {
    const refusal = this.#options.refusal();
    if (refusal !== undefined) throw refusal;
    // In Java, `auth` is a map of strings.
    if (auth.v !== undefined && auth.v !== VERSION && auth.v !== String(VERSION))
      throw new BellwireError("unsupported", `This relay speaks version ${VERSION}`);
    const arrival: Arrival = { id, client: clientId(auth.client), headers: this.#options.passedHeaders(headers) };
    return { arrival, admitted: await this.#options.admission[as](site, auth, arrival) };
  }

  /** Says hello to whoever was admitted; from now on the connection is one of the relay's, until it is `gone`. */
  open(connection: Connection, ticket: string | undefined): void {
    this.connections.add(connection);
    connection.tell("hello", this.#hello(connection, ticket));
    try {
      this.#options.admission.checkRevoked(connection, connection.permit); // it may have been since it was admitted
    } catch (error) {
      return connection.bye(this.refused(error));
    }
    connection.observed = true;
    for (const observer of this.observers) observer.opened(connection);
  }

  /** To be called once, when the wire has ended. @param reason what ended it, in Socket.IO's words */
  gone(connection: Connection, reason: string): void {
    this.connections.delete(connection);
    this.#options.subscriptions.endAll(connection);
    if (connection.observed) for (const observer of this.observers) observer.gone(connection, reason);
  }

  #hello(connection: Connection, ticket: string | undefined): Hello {
    const { permit } = connection;
    const { settings, admission, maxFrameBytes } = this.#options;
    const { limits: bounds } = settings.of(connection.site);
    return {
      v: VERSION,
      user: permit.user === "" ? null : permit.user,
      session: permit.session === "" ? null : permit.session,
      client: connection.client,
      ticket: ticket ?? admission.tickets.forConnection(permit, Date.now() / 1000),
      ...(permit.until === undefined ? {} : { until: permit.until }),
      time: Date.now(),
      limits: {
        subscriptions: bounds.subscriptionsPerConnection,
        subscriptionsPerFrame: bounds.subscriptionsPerFrame,
        dataBytes: bounds.dataBytes,
        frameBytes: maxFrameBytes,
      },
      features: this.#options.features(connection.site),
    };
  }

  /** What somebody is refused with, counted. */
  refused(error: unknown): BellwireError {
    const refused = toBellwireError(error instanceof Disconnected ? error.error : error);
    this.#options.stats.refuse(refused.code);
    if (refused.code === "internal") this.#options.logger.failure("socket", refused.cause ?? refused);
    return refused;
  }

  /** A handshake was refused, by the transport. @param reason one of few */
  refusedHandshake(reason: string): void {
    this.#options.stats.refusedHandshakes.add(reason);
  }

  /** What a connection is refused with, counted and told to the operator. @param site undefined where there can be none of that name */
  turnedAway(site: string | undefined, error: unknown): BellwireError {
    const refused = this.refused(error);
    if (site !== undefined) this.#options.refusals.refused(site, "connection", refused);
    return refused;
  }

  // ConnectionHost

  delivered(): void {
    this.#options.stats.deliveries++;
  }

  slow(connection: Connection): void {
    this.#options.stats.slow++;
    connection.drop(new BellwireError("slow", "The client does not read fast enough; it resumes from its position"));
  }

  /** Sends everybody away. */
  close(): void {
    for (const connection of this.connections) connection.bye(new BellwireError("draining", "The relay is going away"));
  }
}

function clientId(value: unknown): string {
  const usable = typeof value === "string" && value.length > 0 && value.length <= limits.keyLength && isWellFormed(value);
  return usable ? value : randomUUID();
}

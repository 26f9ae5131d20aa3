import { randomBytes } from "node:crypto";
import type { Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { filterObject, type Code } from "@bellwire/protocol";
import type { Transport } from "@bellwire/emitter";
import type { Config } from "../config/config.js";
import { trustedProxies } from "../config/trusted-proxies.js";
import type { ClusterCounts } from "../stores/counts.js";
import type { Feeds } from "../feed/feeds.js";
import type { LocalHooks } from "../hooks/local-hooks.js";
import { ApiKeys } from "../http/api-keys.js";
import { registerApi } from "../http/api.js";
import { createApp } from "../http/app.js";
import { registerControl } from "../http/control-api.js";
import { registerBundle } from "../http/bundle.js";
import { Farewell } from "../http/farewell.js";
import { registerHealth, type Readiness } from "../http/health.js";
import { mindTime } from "../http/patience.js";
import { isSocketPath, rewriteRequests } from "../http/rewrite.js";
import { createLogger, type Logger } from "../observe/logger.js";
import type { Inspector } from "../observe/inspect.js";
import { Metrics } from "../observe/metrics.js";
import { StallWatch, TurnWatch } from "../observe/stall.js";
import { Stats } from "../observe/stats.js";
import { Rotation } from "../pacing/rotation.js";
import type { Connection } from "../connection/connection.js";
import type { Reception } from "../connection/reception.js";
import { Seats } from "../connection/seats.js";
import { Addresses } from "../socket/addresses.js";
import { Gateway } from "../socket/gateway.js";
import { allowsAll, isAllowedOrigin } from "../config/origins.js";
import { isEventsPath, registerEvents } from "../sse/events.js";
import type { Subscriptions } from "../connection/subscriptions.js";
import type { TopicLog } from "../stores/log.js";
import type { DrainTiming } from "./drain.js";
import { embed, EMBEDDED_PATH } from "./embed.js";
import { listen } from "./listen.js";
import { createParts, MAX_FRAME_BYTES, type Parts, type RelayTiming } from "./parts.js";

export interface RelayOptions {
  readonly config: Config;
  readonly logger?: Logger;
  /** For tests: another pace of linger, comparison, positions and rereading. */
  readonly timing?: Partial<RelayTiming>;
  /** Ends the process's part of the relay when it turns out that it can't work at all, e.g. a Redis too old. */
  readonly onFatal?: (message: string) => void;
  /** Instead of listening on the port: connections are handed to this server by somebody else, as to a worker by its primary. */
  readonly takesConnections?: ((http: HttpServer, gateway: Gateway | undefined) => void) | undefined;
  /** Instead of listening on the port: a server of the application's own, which listens by itself. */
  readonly server?: HttpServer | undefined;
  /** Questions answered in this process; what they don't answer goes to the backends of the configuration. */
  readonly hooks?: LocalHooks | undefined;
}

const COUNTS_MS = 60_000;
const TICKET_TICK_MS = 1000;

/** One relay: its parts, and their way in over HTTP and sockets. Starts and stops them. */
export class Relay {
  readonly id: string = randomBytes(8).toString("hex");
  readonly config: Config;
  readonly #metrics: Metrics = new Metrics();
  readonly stats: Stats = new Stats(this.#metrics);
  /** Undefined on a relay that is switched off: it serves health only. */
  readonly gateway: Gateway | undefined;
  readonly #parts: Parts;
  readonly #logger: Logger;
  readonly #app: FastifyInstance;
  readonly #internal: FastifyInstance | undefined;
  readonly #farewell: Farewell = new Farewell();
  readonly #takesConnections: RelayOptions["takesConnections"];
  readonly #server: HttpServer | undefined;
  readonly #addresses: Addresses;
  readonly #stall: StallWatch = new StallWatch();
  readonly #turns: TurnWatch = new TurnWatch();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #closers: (() => void)[] = [];

  constructor(options: RelayOptions) {
    const { config, logger = createLogger(), timing, onFatal, takesConnections, server, hooks } = options;
    const { id, stats } = this;
    this.config = config;
    this.#logger = logger;
    this.#takesConnections = takesConnections;
    this.#server = server;
    const parts = createParts({ config, id, stats, metrics: this.#metrics, logger, timing, hooks, onFatal });
    this.#parts = parts;
    const refused = (code: Code): void => stats.refusedRequests.add(code);
    this.#addresses = new Addresses({
      proxies: trustedProxies(config.proxies),
      limits: config.limits,
      onUntrusted: (proxy) => logger.warn(untrustedProxy(proxy)),
    });
    this.#app = createApp(logger, refused);
    this.#internal = config.internalPort === undefined ? undefined : createApp(logger, refused);
    for (const app of this.#apps) registerHealth(app, () => this.readiness());
    if (config.enabled) {
      registerBundle(this.#app);
      this.#registerInternal(this.#internal ?? this.#app);
      const { reception, admission, subscriptions, calls, lifetimes, attendance } = parts;
      this.gateway = new Gateway(this.#app.server, {
        reception,
        admission,
        subscriptions,
        logger,
        addresses: this.#addresses,
        seats: new Seats(() => config.limits),
        origins: config.origins,
        maxFrameBytes: MAX_FRAME_BYTES,
        settings: parts.stores.settings,
        calls,
        lifetimes,
        presence: (connection, topic) => attendance.ask(connection, topic),
      });
      // On the public port, whatever else of `/v1` is inside.
      const allowed = (origin: string | undefined, site: string): boolean => this.#allowed(origin, site);
      this.#closers.push(
        registerEvents(this.#app, {
          reception,
          subscriptions,
          allowed,
          toAll: (site) => allowsAll(parts.stores.settings.of(site).origins),
          comment: timing?.comment,
        }),
      );
    }
    for (const { server: http } of this.#apps) this.#farewell.watch(http, staysOpen, server === undefined || http !== this.#app.server);
    // After the gateway, which puts itself before every listener that is there.
    rewriteRequests(this.#app.server, {
      prefix: this.#prefix,
      turnsAway: (request) => (this.gateway === undefined ? undefined : (parts.drain.refusal ?? this.#addresses.knock(request))),
      onTurnedAway: ({ code }) => refused(code),
    });
  }

  get #apps(): FastifyInstance[] {
    return this.#internal === undefined ? [this.#app] : [this.#app, this.#internal];
  }

  get log(): TopicLog {
    return this.#parts.stores.log;
  }

  get connections(): ReadonlySet<Connection> {
    return this.#parts.connections;
  }

  /** Takes connections in, from every wire. */
  get reception(): Reception {
    return this.#parts.reception;
  }

  get subscriptions(): Subscriptions {
    return this.#parts.subscriptions;
  }

  get feeds(): Feeds {
    return this.#parts.feeds;
  }

  #registerInternal(app: FastifyInstance): void {
    const { config, stats } = this;
    const { control, attendance, stores } = this.#parts;
    const { log } = stores;
    const keys = new ApiKeys(config.apiKeys);
    registerApi(app, {
      keys,
      log,
      stats,
      settings: stores.settings,
      stall: this.#stall,
      presence: (site, topic) => attendance.list(site, topic),
      watched: (site, topic, filter) => control.watched(site, topic, filterObject(filter)),
    });
    registerControl(app, { keys, send: (command) => control.send(command), counts: () => this.counts() });
    this.#metrics.gauge("sites", "Sites with a connection on this relay", () => this.gateway?.siteCount ?? 0);
    this.#metrics.counter(
      "long_turns",
      "Turns of the event loop that took longer than 50 ms, in which nobody else was served",
      () => this.#turns.long,
    );
    this.#metrics.serve(app);
  }

  /** Starts listening. @throws ConfigError where a port is taken */
  async start(): Promise<void> {
    for (const warning of this.config.warnings) this.#logger.warn(warning);
    const { stats, gateway } = this;
    const { stores, feeds, revocations, control } = this.#parts;
    if (gateway !== undefined) {
      control.start();
      await stores.log.start({
        message: (name, epoch, entry) => {
          stats.heard++;
          feeds.message(name, epoch, entry);
        },
        garbage: (name) => {
          stats.garbage++;
          feeds.garbage(name);
        },
        lost: (names) => {
          revocations.doubt(); // whoever is cut off from messages may be from commands too
          feeds.lost(names);
        },
        restored: (names) => feeds.restored(names),
        renewed: () => feeds.renewed(),
      });
    }
    await this.#listen();
    this.#every(COUNTS_MS, () => this.#count());
    if (gateway !== undefined) this.#renewTickets();
  }

  async #listen(): Promise<void> {
    const { port, host, internalPort } = this.config;
    if (this.#internal !== undefined) await listen(this.#internal, internalPort as number, host, "REALTIME_INTERNAL_PORT");
    if (this.#takesConnections !== undefined) {
      await this.#app.ready();
      mindTime(this.#app.server);
      this.#takesConnections(this.#app.server, this.gateway);
      return;
    }
    if (this.#server !== undefined) {
      await this.#app.ready();
      const { warning, remove } = embed(this.#server, this.#app, this.#prefix, this.#publicPath !== "");
      this.#closers.push(remove);
      if (warning !== undefined) this.#logger.warn(warning);
      return;
    }
    await listen(this.#app, port, host, "REALTIME_WS_PORT");
    this.#logger.listening(this.port);
  }

  #allowed(origin: string | undefined, site: string): boolean {
    const { origins } = this.#parts.stores.settings.of(site);
    const allowed = isAllowedOrigin(origins, origin);
    if (!allowed) this.#logger.originRefused(origin as string, origins === "localhost" ? [] : origins);
    return allowed;
  }

  get #publicPath(): string {
    return this.config.publicUrl.pathname.replace(/\/+$/, "");
  }

  /** The path in front of what is answered: requests are answered with and without it. */
  get #prefix(): string {
    return this.#publicPath || (this.#server === undefined ? "" : EMBEDDED_PATH);
  }

  #renewTickets(): void {
    const round = new Rotation(() => this.connections, Math.max(1, this.config.ticketLife / 8 / (TICKET_TICK_MS / 1000)));
    this.#every(TICKET_TICK_MS, () => this.#parts.tickets.renew(round.next()));
  }

  #every(ms: number, run: () => void): void {
    const timer = setInterval(run, ms);
    timer.unref();
    this.#timers.push(timer);
  }

  #count(): void {
    const connections = this.connections.size;
    if (connections > 0) this.#logger.counts({ connections, subscriptions: this.subscriptions.count, cached: this.feeds.cached });
  }

  /** The port that clients connect to; of use where the setting was 0. */
  get port(): number {
    return portOf(this.#app);
  }

  get internalPort(): number | undefined {
    return this.#internal === undefined ? undefined : portOf(this.#internal);
  }

  /** A way into this relay's logs, and to all relays, for an emitter in this process. Closing it closes nothing. */
  get transport(): Transport {
    return {
      append: (publication, timeout) => this.log.append(publication, timeout),
      control: (command) => this.#parts.control.send(command),
      close: async () => undefined,
    };
  }

  /** What is open on all relays that answer. Rejects with `unavailable` where they can't be asked. */
  counts(): Promise<ClusterCounts> {
    return this.#parts.control.counts();
  }

  /** What is open on this relay, for pages and tools: connections, sites and topics by the page, and a connection's story. */
  inspect(): Pick<Inspector, "connections" | "connection" | "sites" | "topics"> {
    return this.#parts.inspector;
  }

  readiness(): Readiness {
    const { log, shared } = this.#parts.stores;
    const { up, everUp, problem } = log.status;
    const store = shared ? (up ? "up" : "down") : "none";
    if (this.#parts.drain.begun) return { ready: false, status: "draining", store, problem };
    if (!this.config.enabled) return { ready: true, status: "ready", store: "none" };
    if (!everUp) return { ready: false, status: "starting", store, problem };
    // An outage of the store must not make a balancer take every relay out: sockets stay, and everything reconciles on return.
    return { ready: true, status: up ? "ready" : "degraded", store, ...(problem === undefined ? {} : { problem }) };
  }

  /**
   * Leaves without a stampede: not ready at once, still accepting while balancers notice, then every client at its own moment.
   * Resolves when all have gone; `close` comes after.
   */
  async drain(timing: DrainTiming = this.config.drain): Promise<void> {
    const { drain } = this.#parts;
    this.#farewell.begin();
    if (this.gateway === undefined) drain.refuseNewcomers();
    else await drain.run(timing);
  }

  /** Answers what has come in, tells every client, closes all sockets and connections. */
  async close(): Promise<void> {
    this.#parts.drain.refuseNewcomers();
    this.#stall.stop();
    this.#turns.stop();
    for (const timer of this.#timers) clearInterval(timer);
    for (const { server } of this.#apps) server.close(); // listens no more; what is under way goes on
    await this.#farewell.finish();
    this.#parts.reception.close();
    await this.gateway?.close();
    for (const app of this.#apps) await app.close();
    for (const close of this.#closers) close();
    await this.#parts.close();
  }
}

/** Whether the answer to a request waits for something to be told: the relay ends it by itself when it leaves. */
function staysOpen(url: string): boolean {
  return isSocketPath(url) || isEventsPath(url);
}

function untrustedProxy(address: string): string {
  const remedy = `add it to REALTIME_TRUSTED_PROXIES=${address} for limits by address`;
  return `${address} names its clients in X-Forwarded-For, and is not trusted to, so that nobody can tell them apart: ${remedy}`;
}

function portOf(app: FastifyInstance): number {
  return (app.server.address() as AddressInfo | null)?.port ?? 0;
}

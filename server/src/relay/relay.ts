import { randomBytes } from "node:crypto";
import type { Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { BellwireError, filterObject } from "@bellwire/protocol";
import type { Transport } from "@bellwire/emitter";
import { redisAddress } from "@bellwire/emitter/internal";
import { askPresence, createAttendance, listPresence, type AttendanceToClose } from "../presence/attendance.js";
import { Admission } from "../auth/admission.js";
import { Clocks } from "../auth/clocks.js";
import { Keyring } from "../auth/keyring.js";
import { Tickets } from "../auth/tickets.js";
import type { Config } from "../config/config.js";
import { topicOptionsOf } from "../config/topic-options.js";
import { mayFailOver } from "../config/redis.js";
import { Control } from "../control/control.js";
import type { ClusterCounts } from "../control/counts.js";
import { Drain, type DrainTiming } from "./drain.js";
import { embed, EMBEDDED_PATH } from "./embed.js";
import { featuresOf } from "./features.js";
import { Feeds, type FeedTiming } from "../feed/feeds.js";
import { Rotation } from "../pacing/rotation.js";
import { ApiKeys } from "../http/api-keys.js";
import { registerApi } from "../http/api.js";
import { registerControl } from "../http/control-api.js";
import { createApp } from "../http/app.js";
import { Farewell } from "../http/farewell.js";
import { registerMetrics } from "../observe/metrics.js";
import { isSocketPath, rewriteRequests } from "../http/rewrite.js";
import { registerBundle } from "../http/bundle.js";
import { registerHealth, type Readiness } from "../http/health.js";
import { listen } from "./listen.js";
import { MemoryLog } from "../stores/memory/log.js";
import { RedisLog } from "../stores/redis/log.js";
import type { TopicLog } from "../stores/log.js";
import { createLogger, type Logger } from "../observe/logger.js";
import { createHooks } from "../hooks/create-hooks.js";
import type { Hooks } from "../hooks/hooks.js";
import type { LocalHooks } from "../hooks/local-hooks.js";
import { passedHeaders } from "../hooks/passed-headers.js";
import { ClientCalls } from "../socket/client-calls.js";
import { Gateway } from "../socket/gateway.js";
import { Lifetimes } from "../socket/lifetimes.js";
import { ServerSubscriptions } from "../socket/server-subscriptions.js";
import { Subscriptions } from "../socket/subscriptions.js";
import { RefusalLog } from "../observe/refusal-log.js";
import { StallWatch } from "../observe/stall.js";
import { Stats } from "../observe/stats.js";
import { createTypeHint } from "../observe/type-hint.js";

/** Milliseconds. */
export interface RelayTiming extends FeedTiming {
  /** How often stored revocations are read again where nothing calls for it. */
  readonly reread: number;
  /** Seconds, for whoever can't be prolonged because the backend is away. */
  readonly grace: number;
}

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

const NO_HEADERS = Object.freeze({});
const COUNTS_MS = 60_000;
const TICKET_TICK_MS = 1000;
// Frames carry a token and a filter for each subscription.
const MAX_FRAME_BYTES = 1_048_576;

/** One relay: composes every part, starts and stops them. The only place where they all know of each other. */
export class Relay {
  readonly id: string = randomBytes(8).toString("hex");
  readonly config: Config;
  readonly stats: Stats = new Stats();
  readonly log: TopicLog;
  readonly feeds: Feeds;
  readonly subscriptions: Subscriptions;
  readonly gateway: Gateway | undefined;
  readonly #control: Control;
  readonly #attendance: AttendanceToClose;
  readonly #hooks: Hooks;
  readonly #logger: Logger;
  readonly #app: FastifyInstance;
  readonly #internal: FastifyInstance | undefined;
  readonly #farewell: Farewell = new Farewell();
  readonly #takesConnections: RelayOptions["takesConnections"];
  readonly #server: HttpServer | undefined;
  readonly #stall: StallWatch = new StallWatch();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #closers: (() => void)[] = [];
  #draining = false;

  constructor(options: RelayOptions) {
    const { config } = options;
    this.config = config;
    this.#logger = options.logger ?? createLogger();
    this.#takesConnections = options.takesConnections;
    this.#server = options.server;
    this.log = this.#createLog(options);
    this.feeds = new Feeds({
      log: this.log,
      limits: config.logs,
      observe: (event) => this.#observe(event),
      inspect: config.production ? undefined : createTypeHint((message) => this.#logger.warn(message)),
      failover: config.redis !== undefined && mayFailOver(config.redis.target),
      sockets: () => this.gateway?.connections.size ?? 0,
      checked: () => this.#control.revocations.current(),
      ...(options.timing === undefined ? {} : { timing: options.timing }),
    });
    this.#control = new Control({
      log: this.log,
      redis: config.redis,
      reread: options.timing?.reread,
      stats: this.stats,
      logger: this.#logger,
    });
    this.#attendance = createAttendance({ config, log: this.log, relay: this.id, logger: this.#logger });
    const keyring = new Keyring(config.keys, config.siteKeys);
    const hooks = createHooks({ config, stats: this.stats, logger: this.#logger, local: options.hooks });
    this.#hooks = hooks;
    const admission = new Admission({
      hooks,
      keyring,
      tickets: new Tickets(keyring, { life: config.ticketLife }),
      revocations: this.#control.revocations,
      clocks: new Clocks({ now: () => this.#control.revocations.now, onDiffering: (message) => this.#logger.warn(message) }),
      anonymous: config.anonymous,
    });
    this.subscriptions = new Subscriptions(this.feeds, admission, {
      perConnection: config.limits.subscriptionsPerConnection,
      perFrame: config.limits.subscriptionsPerFrame,
    });
    this.#app = createApp(this.#logger);
    this.#internal = config.internalPort === undefined ? undefined : createApp(this.#logger);
    for (const app of this.#apps) registerHealth(app, () => this.readiness());
    if (config.enabled) this.gateway = this.#open(admission, hooks, options.timing?.grace);
    for (const { server } of this.#apps)
      this.#farewell.watch(server, isSocketPath, this.#server === undefined || server !== this.#app.server);
    // After the gateway, which puts itself before every listener that is there.
    rewriteRequests(this.#app.server, {
      prefix: this.#prefix,
      turnsAway: () => this.gateway?.refusal !== undefined,
    });
  }

  get #apps(): FastifyInstance[] {
    return this.#internal === undefined ? [this.#app] : [this.#app, this.#internal];
  }

  /** What only a relay that is switched on has: sockets, the API, the browser's bundle. */
  #open(admission: Admission, hooks: Hooks, grace: number | undefined): Gateway {
    const { config, subscriptions, stats, log } = this;
    registerBundle(this.#app);
    this.#registerInternal(this.#internal ?? this.#app);
    const lifetimes: Lifetimes = new Lifetimes({
      hooks,
      subscriptions,
      now: () => this.#control.revocations.now,
      grace,
      onTrouble: (error) => this.#logger.failure("lifetimes", error),
      sendTickets: (connection, changed) => gateway.sendTickets(connection, changed),
    });
    const attendance = this.#attendance;
    const refusals = new RefusalLog({ say: (message, fields) => this.#logger.refused(message, fields) });
    subscriptions.onRefused = (site, error) => refusals.refused(site, "subscription", error);
    const calls = new ClientCalls({
      hooks,
      log,
      stats,
      maxDataBytes: config.limits.dataBytes,
      publishable: (topic) => topicOptionsOf(config.topics, topic).publish,
    });
    const gateway: Gateway = new Gateway(this.#app.server, {
      admission,
      subscriptions,
      stats,
      logger: this.#logger,
      refusals,
      origins: config.origins,
      maxWaitingBytes: config.limits.waitingBytes,
      maxFrameBytes: MAX_FRAME_BYTES,
      maxDataBytes: config.limits.dataBytes,
      calls,
      lifetimes,
      presence: (connection, topic) => askPresence(attendance, connection, topic),
      passedHeaders: (headers) => (config.hooks.headers.length === 0 ? NO_HEADERS : passedHeaders(headers, config.hooks.headers)),
      features: () => featuresOf(config, hooks),
    });
    const held = new ServerSubscriptions({
      subscriptions,
      personal: config.personal,
      onRefused: (error) => stats.refuse(error.code),
      onTrouble: (error) => this.#logger.failure("server subscriptions", error),
    });
    gateway.observers.push(lifetimes, held);
    subscriptions.observers.push(lifetimes);
    attendance.observe(gateway, subscriptions);
    this.#closers.push(
      () => lifetimes.close(),
      () => refusals.close(),
    );
    return gateway;
  }

  #createLog(options: RelayOptions): TopicLog {
    const { redis, logs } = options.config;
    if (redis === undefined) return new MemoryLog(logs);
    return new RedisLog({
      target: redis.target,
      prefix: redis.prefix,
      limits: logs,
      relay: this.id,
      onError: (error, stage) => this.#logger.redisTrouble(error, stage),
      onUp: () => this.#logger.redisConnected(redisAddress(redis.target)),
      onFatal: (message) => options.onFatal?.(message),
    });
  }

  #registerInternal(app: FastifyInstance): void {
    const { config, stats, log, feeds } = this;
    const keys = new ApiKeys(config.apiKeys);
    registerApi(app, {
      keys,
      log,
      stats,
      maxDataBytes: config.limits.dataBytes,
      stall: this.#stall,
      presence: (site, topic) => listPresence(this.#attendance, site, topic),
      watched: (site, topic, filter) => this.#control.watched(site, topic, filterObject(filter)),
    });
    registerControl(app, { keys, send: (command) => this.#control.send(command), counts: () => this.counts() });
    registerMetrics(app, stats, {
      connections: () => this.gateway?.connections.size ?? 0,
      subscriptions: () => this.subscriptions.count,
      sites: () => this.gateway?.siteCount ?? 0,
      feeds: () => feeds.size,
      suspendedFeeds: () => feeds.suspended,
      cachedMessages: () => feeds.cached,
      redisUp: () => (log.status.up ? 1 : 0),
    });
  }

  /** Starts listening. @throws ConfigError where a port is taken */
  async start(): Promise<void> {
    for (const notice of this.config.notices) this.#logger.warn(notice);
    const { stats, feeds, subscriptions, gateway } = this;
    if (gateway !== undefined) {
      this.#control.start({ gateway, subscriptions, feeds });
      await this.log.start({
        message: (name, epoch, entry) => {
          stats.heard++;
          feeds.message(name, epoch, entry);
        },
        garbage: (name) => {
          stats.garbage++;
          feeds.garbage(name);
        },
        lost: (names) => {
          this.#control.revocations.doubt(); // whoever is cut off from messages may be from commands too
          feeds.lost(names);
        },
        restored: (names) => feeds.restored(names),
      });
    }
    await this.#listen();
    this.#every(COUNTS_MS, () => this.#count());
    if (this.gateway !== undefined) this.#renewTickets(this.gateway);
  }

  async #listen(): Promise<void> {
    const { port, host, internalPort } = this.config;
    if (this.#internal !== undefined) await listen(this.#internal, internalPort as number, host, "REALTIME_INTERNAL_PORT");
    if (this.#takesConnections !== undefined) {
      await this.#app.ready();
      this.#takesConnections(this.#app.server, this.gateway);
      return;
    }
    if (this.#server !== undefined) {
      await this.#app.ready();
      const { notice, remove } = embed(this.#server, this.#app, this.#prefix, this.#publicPath !== "");
      this.#closers.push(remove);
      if (notice !== undefined) this.#logger.warn(notice);
      return;
    }
    await listen(this.#app, port, host, "REALTIME_WS_PORT");
    this.#logger.listening(this.port);
  }

  get #publicPath(): string {
    return this.config.publicUrl.pathname.replace(/\/+$/, "");
  }

  /** The path in front of what is answered: requests are answered with and without it. */
  get #prefix(): string {
    return this.#publicPath || (this.#server === undefined ? "" : EMBEDDED_PATH);
  }

  #renewTickets(gateway: Gateway): void {
    const round = new Rotation(() => gateway.connections, Math.max(1, this.config.ticketLife / 8 / (TICKET_TICK_MS / 1000)));
    this.#every(TICKET_TICK_MS, () => gateway.renewTickets(round.next()));
  }

  #every(ms: number, run: () => void): void {
    const timer = setInterval(run, ms);
    timer.unref();
    this.#timers.push(timer);
  }

  #count(): void {
    const connections = this.gateway?.connections.size ?? 0;
    if (connections > 0) this.#logger.counts({ connections, subscriptions: this.subscriptions.count, cached: this.feeds.cached });
  }

  #observe(event: "gap" | "resync" | "invalid"): void {
    if (event === "gap") this.stats.gaps++;
    else if (event === "resync") this.stats.resyncs++;
    else this.stats.garbage++;
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
      control: (command) => this.#control.send(command),
      close: async () => undefined,
    };
  }

  /** What is open on all relays that answer. Rejects with `unavailable` where they can't be asked. */
  counts(): Promise<ClusterCounts> {
    return this.#control.counts();
  }

  readiness(): Readiness {
    const { up, everUp, kind, problem } = this.log.status;
    const redis = kind === "memory" ? "none" : up ? "up" : "down";
    if (this.#draining) return { ready: false, status: "draining", redis, problem };
    if (!this.config.enabled) return { ready: true, status: "ready", redis: "none" };
    if (!everUp) return { ready: false, status: "starting", redis, problem };
    // A Redis outage must not make a balancer take every relay out: sockets stay, and everything reconciles on return.
    return { ready: true, status: up ? "ready" : "degraded", redis, ...(problem === undefined ? {} : { problem }) };
  }

  /**
   * Leaves without a stampede: not ready at once, still accepting while balancers notice, then every client at its own moment.
   * Resolves when all have gone; `close` comes after.
   */
  async drain(timing: DrainTiming = this.config.drain): Promise<void> {
    const { gateway } = this;
    this.#draining = true;
    this.#farewell.begin();
    if (gateway === undefined) return;
    const drain = new Drain(gateway.connections, timing);
    gateway.onConnection = (connection) => drain.add(connection);
    const refuse = setTimeout(() => this.#refuseAll(gateway), timing.accept);
    await drain.run();
    clearTimeout(refuse);
  }

  #refuseAll(gateway: Gateway): void {
    gateway.refusal = new BellwireError("draining", "The relay is going away: connect to another one");
  }

  /** Answers what has come in, tells every client, closes all sockets and connections. */
  async close(): Promise<void> {
    this.#draining = true;
    this.#stall.stop();
    for (const timer of this.#timers) clearInterval(timer);
    if (this.gateway !== undefined) this.#refuseAll(this.gateway);
    for (const { server } of this.#apps) server.close(); // listens no more; what is under way goes on
    await this.#farewell.finish();
    await this.gateway?.close();
    for (const app of this.#apps) await app.close();
    for (const close of this.#closers) close();
    await this.#attendance.close();
    await this.#hooks.close();
    this.feeds.close();
    this.#control.close();
    await this.log.close();
  }
}

function portOf(app: FastifyInstance): number {
  return (app.server.address() as AddressInfo | null)?.port ?? 0;
}

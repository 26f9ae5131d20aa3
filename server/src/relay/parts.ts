import type { BellwireError } from "@bellwire/protocol";
import { Admission } from "../auth/admission.js";
import { Clocks } from "../auth/clocks.js";
import { Keyring } from "../auth/keyring.js";
import { Tickets } from "../auth/tickets.js";
import type { Config } from "../config/config.js";
import { Commands } from "../control/commands.js";
import { Control } from "../control/control.js";
import { Keeper } from "../control/keeper.js";
import { Watchers } from "../control/watchers.js";
import { Feeds, type FeedTiming } from "../feed/feeds.js";
import { createHooks } from "../hooks/create-hooks.js";
import type { Hooks } from "../hooks/hooks.js";
import type { LocalHooks } from "../hooks/local-hooks.js";
import { passedHeaders } from "../hooks/passed-headers.js";
import type { Logger } from "../observe/logger.js";
import { RefusalLog } from "../observe/refusal-log.js";
import { Inspector } from "../observe/inspect.js";
import type { Metrics } from "../observe/metrics.js";
import type { Stats } from "../observe/stats.js";
import { createTypeHint } from "../observe/type-hint.js";
import { Attendance } from "../presence/attendance.js";
import { REREAD_MS, Revocations } from "../revocations/revocations.js";
import { ClientCalls } from "../connection/client-calls.js";
import type { Connection } from "../connection/connection.js";
import { Lifetimes } from "../connection/lifetimes.js";
import { Reception } from "../connection/reception.js";
import { ServerSubscriptions } from "../connection/server-subscriptions.js";
import { Subscriptions } from "../connection/subscriptions.js";
import { TicketSender } from "../connection/ticket-sender.js";
import { Drain } from "./drain.js";
import { createStores } from "../stores/create-stores.js";
import type { Stores } from "../stores/stores.js";
import { featuresOf } from "./features.js";

/** Of what clients send: frames carry a token and a filter for each subscription. */
export const MAX_FRAME_BYTES = 1_048_576;
const NO_HEADERS = Object.freeze({});

/** Milliseconds. */
export interface RelayTiming extends FeedTiming {
  /** How often stored revocations are read again where nothing calls for it. */
  readonly reread: number;
  /** How often a stream of events says that it is there. */
  readonly comment: number;
  /** Seconds, for whoever can't be prolonged because the backend is away. */
  readonly grace: number;
}

export interface PartsOptions {
  readonly config: Config;
  /** The relay's id. */
  readonly id: string;
  readonly stats: Stats;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly timing: Partial<RelayTiming> | undefined;
  readonly hooks: LocalHooks | undefined;
  readonly onFatal: ((message: string) => void) | undefined;
}

/** What a relay is made of, whatever wire its clients come over. */
export interface Parts {
  readonly stores: Stores;
  /** Filled by the reception. */
  readonly connections: Set<Connection>;
  readonly revocations: Revocations;
  readonly hooks: Hooks;
  readonly admission: Admission;
  readonly feeds: Feeds;
  readonly tickets: TicketSender;
  readonly lifetimes: Lifetimes;
  readonly attendance: Attendance;
  readonly subscriptions: Subscriptions;
  readonly control: Control;
  readonly calls: ClientCalls;
  /** Takes connections in, from every wire. */
  readonly reception: Reception;
  readonly drain: Drain;
  readonly inspector: Inspector;
  /** To be called when all connections are gone. */
  close(): Promise<void>;
}

/**
 * Makes every part. The only place where they all know of each other; each is handed what was made above it, and observers hear in the
 * order of their lists.
 */
export function createParts({ config, id, stats, metrics, logger, timing = {}, hooks: local, onFatal }: PartsOptions): Parts {
  const trouble = (stage: string) => (error: unknown) => logger.redisTrouble(error, stage);
  const failure = (stage: string) => (error: unknown) => logger.failure(stage, error);
  const refused = (error: BellwireError): void => stats.refuse(error.code);

  const stores = createStores({
    redis: config.redis,
    settings: config.settings,
    relay: id,
    listener: {
      trouble: (error, stage) => logger.redisTrouble(error, stage),
      up: (address) => logger.redisConnected(address),
      fatal: (message) => onFatal?.(message),
    },
  });
  const { settings } = stores;
  metrics.gauge("redis_up", "1 while the log can be read and heard", () => (stores.log.status.up ? 1 : 0));
  const connections = new Set<Connection>();
  metrics.gauge("connections", "Connections open on this relay", () => connections.size);
  const revocations = new Revocations({
    store: stores.revocations,
    every: timing.reread ?? REREAD_MS,
    onGarbage: (count) => {
      stats.garbage += count;
    },
    onTrouble: trouble("revocations"),
  });
  metrics.gauge("revocations", "Revocations in force that this relay knows", () => revocations.size);
  const now = (): number => revocations.now;
  const refusals = new RefusalLog({ say: (message, fields) => logger.refused(message, fields) });
  const hooks = createHooks({ config, settings, stats, logger, local, refusals });
  const keyring = new Keyring((site) => settings.of(site).keys);
  const admission = new Admission({
    hooks,
    keyring,
    tickets: new Tickets(keyring, { life: config.ticketLife }),
    revocations,
    clocks: new Clocks({ now, onDiffering: (message) => logger.warn(message) }),
    anonymous: (site) => settings.of(site).anonymous,
  });
  const feeds = new Feeds({
    log: stores.log,
    limitsOf: (site, topic) => settings.of(site).topic(topic).log,
    observe: (event) => stats.observe(event),
    inspect: config.production ? undefined : createTypeHint((message) => logger.warn(message)),
    failover: stores.mayFailOver,
    sockets: () => connections.size,
    checked: () => revocations.current(),
    timing,
    metrics,
  });
  const tickets = new TicketSender(admission.tickets);
  const lifetimes = new Lifetimes({
    hooks,
    now,
    grace: timing.grace,
    tickets,
    onTrouble: failure("lifetimes"),
  });
  const attendance = new Attendance({
    config,
    stores,
    onUndelivered: (message) => logger.warn(message),
    onTrouble: (error, stage) => logger.redisTrouble(error, stage),
    metrics,
    onNoticeLost: (site, error) => refusals.refused(site, "notice", error),
  });
  const watchers = new Watchers();
  const inspector = new Inspector({ connections, feeds });
  const subscriptions = new Subscriptions({
    feeds,
    admission,
    settings,
    observers: [lifetimes, ...attendance.subscriptionObservers, watchers, inspector],
    onRefused: (site, error) => {
      stats.refusedSubscriptions.add(error.code);
      refusals.refused(site, "subscription", error);
    },
    metrics,
  });
  const personal = new ServerSubscriptions({
    subscriptions,
    personal: config.personal,
    onRefused: refused,
    onTrouble: failure("server subscriptions"),
  });
  const keeper = new Keeper({ held: stores.held, connections, subscriptions, now, onRefused: refused, onTrouble: trouble("held") });
  const control = new Control({
    bus: stores.bus,
    commands: new Commands({ connections, subscriptions, revocations, keeper }),
    revocations,
    keeper,
    watchers,
    counts: () => ({
      connections: connections.size,
      subscriptions: subscriptions.count,
      sites: new Set([...connections].map(({ site }) => site)).size,
      feeds: feeds.size,
    }),
    stats,
    logger,
  });
  const calls = new ClientCalls({
    hooks,
    log: stores.log,
    stats,
    settings,
    mayPublish: (connection, topic, data) => admission.mayPublish(connection, topic, data),
  });
  const drain = new Drain(connections);
  const reception = new Reception({
    connections,
    // First, the one that others may look at; last, the one that may send it away again.
    observers: [inspector, lifetimes, personal, ...attendance.connectionObservers, keeper, drain],
    refusal: () => drain.refusal,
    admission,
    subscriptions,
    stats,
    logger,
    refusals,
    maxWaitingBytes: config.limits.waitingBytes,
    maxFrameBytes: MAX_FRAME_BYTES,
    settings,
    passedHeaders: (headers) => (config.hooks.headers.length === 0 ? NO_HEADERS : passedHeaders(headers, config.hooks.headers)),
    features: (site) => featuresOf(settings.of(site), config.personal, hooks),
  });
  return {
    stores,
    connections,
    revocations,
    hooks,
    admission,
    feeds,
    tickets,
    lifetimes,
    attendance,
    subscriptions,
    control,
    calls,
    reception,
    drain,
    inspector,
    close: async () => {
      lifetimes.close();
      refusals.close();
      await attendance.close();
      await hooks.close();
      feeds.close();
      control.close();
      await stores.close();
    },
  };
}

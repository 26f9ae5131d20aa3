import { CONTROL_NAMESPACE, databaseOf, Keys, type Command } from "@bellwire/emitter/internal";
import { BellwireError, parseFilter, parseSite, parseTopic } from "@bellwire/protocol";
import type { RedisSettings } from "../config/redis.js";
import type { Feeds } from "../feed/feeds.js";
import { RedisLog } from "../stores/redis/log.js";
import type { TopicLog } from "../stores/log.js";
import type { Logger } from "../observe/logger.js";
import { Keeper } from "./keeper.js";
import { MemoryRegistry } from "../stores/memory/held.js";
import { RedisRegistry } from "../stores/redis/held.js";
import type { Registry } from "../stores/held.js";
import { MemoryRevocations } from "../stores/memory/revocations.js";
import { RedisRevocations } from "../stores/redis/revocations.js";
import { REREAD_MS, Revocations } from "../revocations/revocations.js";
import type { Gateway } from "../socket/gateway.js";
import type { Subscriptions } from "../socket/subscriptions.js";
import type { Stats } from "../observe/stats.js";
import { Commands } from "./commands.js";
import type { ControlBus } from "../stores/bus.js";
import type { ClusterCounts } from "./counts.js";
import { MemoryBus } from "../stores/memory/bus.js";
import { RedisBus } from "../stores/redis/bus.js";
import { Watchers } from "./watchers.js";

export interface ControlOptions {
  /** Control is where the log is: in its Redis, over its connection for commands, or in memory. */
  readonly log: TopicLog;
  readonly redis: RedisSettings | undefined;
  /** Milliseconds between two readings of the revocations. */
  readonly reread?: number | undefined;
  readonly stats: Stats;
  readonly logger: Logger;
}

/** What commands are about. */
export interface Controlled {
  readonly gateway: Gateway;
  readonly subscriptions: Subscriptions;
  readonly feeds: Feeds;
}

/** One relay's part in control: hears commands and does them, knows what is revoked, counts with the others. */
export class Control {
  readonly revocations: Revocations;
  /** What the server subscribed for users, sessions and page loads. */
  readonly registry: Registry;
  readonly #options: ControlOptions;
  readonly #store: MemoryRevocations | undefined;
  readonly #keys: Keys;
  #commands: Commands | undefined;
  #keeper: Keeper | undefined;
  #bus: ControlBus | undefined;

  constructor(options: ControlOptions) {
    const { log, redis, reread = REREAD_MS, stats } = options;
    this.#options = options;
    this.#keys = new Keys(redis?.prefix, redis === undefined ? 0 : databaseOf(redis.target));
    this.#store = log instanceof RedisLog ? undefined : new MemoryRevocations();
    this.registry = log instanceof RedisLog ? new RedisRegistry({ redis: log.commands, keys: this.#keys }) : new MemoryRegistry();
    this.revocations = new Revocations({
      store: log instanceof RedisLog ? new RedisRevocations(log.commands, this.#keys) : (this.#store as MemoryRevocations),
      every: reread,
      onRevoked: (fresh) => this.#commands?.enforce(fresh),
      onGarbage: (count) => {
        stats.garbage += count;
      },
      onTrouble: (error) => this.#trouble(error, "revocations"),
    });
  }

  #trouble(error: unknown, stage: string): void {
    this.#options.logger.redisTrouble(error, stage);
  }

  /** Begins to hear commands. To be called once, before the log connects. */
  start({ gateway, subscriptions, feeds }: Controlled): void {
    const { revocations } = this;
    const { stats } = this.#options;
    const { connections } = gateway;
    const keeper = this.#createKeeper(gateway, subscriptions);
    const commands = new Commands({ connections, subscriptions, revocations, keeper });
    this.#keeper = keeper;
    this.#commands = commands;
    this.#bus = this.#createBus(gateway);
    const watchers = new Watchers();
    subscriptions.observers.push(watchers);
    this.#bus.start({
      command: (command) => this.#execute(commands, command),
      counts: () => ({ connections: connections.size, subscriptions: subscriptions.count, sites: gateway.siteCount, feeds: feeds.size }),
      watches: (question) => watchers.watches(question),
      garbage: () => {
        stats.garbage++;
      },
      restored: () => {
        this.#execute(commands, undefined);
        void keeper.reread(); // never rejects
      },
    });
    revocations.start();
  }

  /** Looks after what the server subscribed, for every connection from its beginning on. */
  #createKeeper({ connections, observers }: Gateway, subscriptions: Subscriptions): Keeper {
    const { registry } = this;
    const { stats } = this.#options;
    const onRefused = (error: BellwireError): void => stats.refuse(error.code);
    const onTrouble = (error: unknown): void => this.#trouble(error, "registry");
    const now = (): number => this.revocations.now;
    const keeper = new Keeper({ registry, connections, subscriptions, now, onRefused, onTrouble });
    observers.push(keeper);
    keeper.start();
    return keeper;
  }

  #createBus(gateway: Gateway): ControlBus {
    const { log, redis } = this.#options;
    if (redis === undefined || !(log instanceof RedisLog)) return new MemoryBus(this.#store as MemoryRevocations, this.registry);
    return new RedisBus({
      namespace: gateway.io.of(CONTROL_NAMESPACE),
      target: redis.target,
      keys: this.#keys,
      commands: log.commands,
      onError: (error) => this.#trouble(error, "control"),
    });
  }

  /** @param command undefined: some may have been missed, of which what was stored can still be learnt */
  #execute(commands: Commands, command: Command | undefined): void {
    try {
      if (command !== undefined) commands.execute(command);
      else this.revocations.reread().catch(() => undefined); // it never rejects
    } catch (error) {
      this.#options.logger.failure("control", error);
    }
  }

  /** Tells every relay. Rejects with a BellwireError within 5 s. */
  async send(command: Command): Promise<void> {
    await this.#running().send(command);
  }

  /** Asks every relay. Rejects with `unavailable`. */
  async counts(): Promise<ClusterCounts> {
    return this.#running().counts();
  }

  /**
   * Whether anybody at all is watching, on any relay, so that a publisher can skip the work; in doubt the answer is yes. It is
   * about now: a client on its way back from a lost connection watches nothing yet.
   * @param filter what the message is known to hold; none: anything on the topic. Rejects with `bad-request`, `forbidden`, or
   * `unavailable` before the relay has started.
   */
  async watched(site: string, topic: string, filter?: unknown): Promise<boolean> {
    return this.#running().watched({ site: parseSite(site), topic: parseTopic(topic), filter: parseFilter(filter) });
  }

  #running(): ControlBus {
    if (this.#bus === undefined) throw new BellwireError("unavailable", "The relay has not started, or is switched off");
    return this.#bus;
  }

  close(): void {
    this.revocations.stop();
    this.#keeper?.stop();
    this.#bus?.close();
  }
}

import { RedisHeld, redisFailure, whenReady, type Keys, type RedisClient } from "@bellwire/emitter/redis";
import { within } from "@bellwire/emitter/time";
import type { RevokeCommand, Standing, SubscribeCommand, UnsubscribeCommand } from "@bellwire/emitter/commands";
import { NOTHING_HELD, type HeldStore, type Visitor } from "../held.js";

export interface RedisHeldStoreOptions {
  /** The log's connection for commands. */
  readonly redis: RedisClient;
  readonly keys: Keys;
  /** Milliseconds that an owner's subscriptions are kept without a command or use. Default 24 h. */
  readonly life?: number;
}

/** What is known of a site. */
interface Known {
  /** Whether anything is held there for anybody; undefined while the first reading is under way. */
  any: boolean | undefined;
  /** Epoch milliseconds until which that is believed. */
  until: number;
  readonly first: Promise<unknown>;
}

const TIMEOUT_MS = 3000;
// How long a site is believed to have nothing. Commands are told, so this matters only where that was lost.
const BELIEVED_MS = 10_000;
const MAX_SITES = 100_000;

/** What the server subscribed for owners, in Redis, where emitters store it too. */
export class RedisHeldStore implements HeldStore {
  readonly #redis: RedisClient;
  readonly #held: RedisHeld;
  readonly #sites = new Map<string, Known>();

  constructor({ redis, keys, life }: RedisHeldStoreOptions) {
    this.#redis = redis;
    this.#held = new RedisHeld(redis, keys, life);
  }

  async add(command: SubscribeCommand): Promise<void> {
    await this.#run(() => this.#held.add(command), "Holding a subscription");
    this.changed(command.site);
  }

  remove(command: UnsubscribeCommand | RevokeCommand): Promise<void> {
    return this.#run(() => this.#held.remove(command), "Ending subscriptions");
  }

  async of(site: string, visitor: Visitor): Promise<Standing> {
    const known = this.#sites.get(site);
    if (known === undefined || known.until < Date.now()) return this.#ask(site, visitor);
    // Many connect at once: one of them asks whether there is anything at all.
    if (known.any === undefined) await known.first.catch(() => undefined);
    return known.any === false ? NOTHING_HELD : ((await this.#read(site, visitor)) ?? NOTHING_HELD);
  }

  /** Reads, and remembers whether anything is held on the site, unless that has changed meanwhile. */
  async #ask(site: string, visitor: Visitor): Promise<Standing> {
    // Far more sites than have connections: forgetting all of them costs a read each.
    if (this.#sites.size >= MAX_SITES) this.#sites.clear();
    const first = this.#read(site, visitor);
    const known: Known = { any: undefined, until: Date.now() + BELIEVED_MS, first };
    this.#sites.set(site, known);
    try {
      const standing = await first;
      // Whoever waits for this reading must not take it for more than it is, where something was stored since.
      known.any = standing !== undefined || this.#sites.get(site) !== known;
      return standing ?? NOTHING_HELD;
    } catch (error) {
      this.changed(site);
      throw error;
    }
  }

  changed(site: string): void {
    this.#sites.delete(site);
  }

  #read(site: string, visitor: Visitor): Promise<Standing | undefined> {
    return this.#run(() => this.#held.of(site, visitor), "Reading what is held");
  }

  async #run<T>(work: () => Promise<T>, what: string): Promise<T> {
    try {
      await whenReady(this.#redis, TIMEOUT_MS);
      return await within(work(), TIMEOUT_MS, what);
    } catch (error) {
      throw redisFailure(error);
    }
  }
}

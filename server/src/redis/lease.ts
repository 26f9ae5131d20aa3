import { BellwireError } from "@bellwire/protocol";
import { redisFailure, whenReady, type Keys, type RedisClient } from "@bellwire/emitter/redis";
import { within } from "@bellwire/emitter/time";
import { withPresenceCommands, type PresenceCommands } from "./scripts.js";

/** Told of leases; must not throw. */
export interface LeaseObserver {
  /** Relays are gone that were there. */
  died?(relays: readonly string[]): void;
  /** At each look: relays whose leases ran out within the last day. */
  expired?(relays: readonly string[]): void;
  /** This relay's own lease did not hold until now: at the start, after an outage, after a flush. Others may have taken it for gone. */
  renewedLate?(): void;
}

/** Milliseconds. */
export interface LeaseTiming {
  /** How long a relay vouches for what it holds without a word: after this it is taken for gone. */
  readonly life: number;
  readonly beat: number;
}

export interface LeaseOptions {
  /** The log's connection for commands. */
  readonly redis: RedisClient;
  readonly keys: Keys;
  /** This relay's id. */
  readonly relay: string;
  readonly timing?: Partial<LeaseTiming> | undefined;
  readonly onTrouble: (error: unknown) => void;
}

// 15 s and a look every 5 s: a relay that ends without a word is noticed within 20 s, and within 27.5 s by one that has just
// started, or found Redis again.
const TIMING: LeaseTiming = { life: 15_000, beat: 5000 };
const REMEMBERED_MS = 24 * 60 * 60 * 1000;
const TIMEOUT_MS = 3000;
const RELAY_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** A relay's word that it is there, renewed every 5 s, and its look at who else is. What a relay keeps in Redis for others counts as long as its lease holds. */
export class Lease {
  readonly relay: string;
  readonly #observers: LeaseObserver[] = [];
  readonly #options: LeaseOptions;
  readonly #redis: RedisClient & PresenceCommands;
  readonly #key: string;
  readonly #timing: LeaseTiming;
  readonly #onReady: () => void;
  #timer: NodeJS.Timeout | undefined;
  #live: ReadonlySet<string> = new Set();
  #validUntil = Number.NEGATIVE_INFINITY;
  /** Until then nobody is taken for gone: after an outage all leases have run out, and their relays are on their way back. */
  #patientUntil = Number.POSITIVE_INFINITY;
  #beating: Promise<void> | undefined;
  #closed = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.relay = options.relay;
    this.#redis = withPresenceCommands(options.redis);
    this.#key = options.keys.leases();
    this.#timing = { ...TIMING, ...options.timing };
    this.#onReady = () => {
      this.#bePatient();
      this.#keep();
    };
  }

  /** Begins to vouch and to look. Called by whoever keeps something under the lease; a relay that keeps nothing has none. */
  start(observer: LeaseObserver): void {
    this.#observers.push(observer);
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setInterval(() => this.#keep(), this.#timing.beat);
    this.#timer.unref();
    this.#redis.on("ready", this.#onReady);
    setImmediate(() => this.#keep());
  }

  #bePatient(): void {
    this.#patientUntil = performance.now() + this.#timing.life / 2;
  }

  /** Relays that are there, as far as this one knows. */
  get live(): ReadonlySet<string> {
    return this.#live;
  }

  #keep(): void {
    if (this.#closed || this.#redis.status !== "ready") return;
    this.beat().catch((error: unknown) => this.#options.onTrouble(error));
  }

  /** Renews the lease now. Rejects with a BellwireError. */
  beat(): Promise<void> {
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  async #beat(): Promise<void> {
    const { life } = this.#timing;
    const begun = performance.now();
    const { valid, live, expired } = await this.#ask(this.relay, life);
    if (this.#closed) return;
    this.#validUntil = begun + life;
    if (!valid) this.#bePatient();
    const patient = begun < this.#patientUntil;
    const died = patient ? [] : [...this.#live].filter((relay) => !live.has(relay));
    this.#live = patient ? new Set([...this.#live, ...live]) : live;
    for (const observer of this.#observers) {
      if (!valid) observer.renewedLate?.();
      if (patient) continue;
      if (died.length > 0) observer.died?.(died);
      observer.expired?.(expired.filter((relay) => relay !== this.relay));
    }
  }

  /** Resolves where the lease holds, so that what is kept under it counts; renews it first where that is in doubt. Rejects with a BellwireError. */
  async require(): Promise<void> {
    if (this.#closed) throw new BellwireError("unavailable", "The relay is closed");
    if (performance.now() < this.#validUntil - this.#timing.beat / 2) return;
    await this.beat();
  }

  /** Those of these relays whose leases do not hold, by a look made now. Rejects with a BellwireError. */
  async gone(relays: readonly string[]): Promise<string[]> {
    if (relays.every((relay) => this.#live.has(relay) || relay === this.relay)) return [];
    if (performance.now() < this.#patientUntil) return [];
    const { live } = await this.#ask("", 0);
    return relays.filter((relay) => relay !== this.relay && !live.has(relay));
  }

  async #ask(relay: string, life: number): Promise<{ valid: boolean; live: Set<string>; expired: string[] }> {
    try {
      await whenReady(this.#redis, TIMEOUT_MS);
      const reply = await within(this.#redis.bellwireLease(this.#key, relay, life, REMEMBERED_MS), TIMEOUT_MS, "Renewing the lease");
      const [valid, live, expired] = Array.isArray(reply) ? (reply as unknown[]) : [];
      return { valid: valid === 1, live: new Set(relaysOf(live)), expired: relaysOf(expired) };
    } catch (error) {
      throw redisFailure(error);
    }
  }

  /** Lets the lease run out `grace` ms from now. */
  async close(grace: number): Promise<void> {
    if (this.#closed) return;
    const begun = this.#timer !== undefined;
    this.stop();
    if (!begun || this.#redis.status !== "ready") return;
    await this.#beating?.catch(() => undefined);
    await within(this.#redis.bellwireLease(this.#key, this.relay, grace, REMEMBERED_MS), 500, "Leaving").catch(() => undefined);
  }

  /** Ends without a word, as a relay that is killed does. */
  stop(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#redis.off("ready", this.#onReady);
  }
}

function relaysOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((relay): relay is string => typeof relay === "string" && RELAY_ID.test(relay)) : [];
}

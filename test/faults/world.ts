import { randomBytes } from "node:crypto";
import { Haproxy } from "../support/haproxy.js";
import { RelayProcess } from "../support/relay-process.js";
import { check, type Verdict } from "./checker.js";
import { Fleet } from "./fleet/fleet.js";
import { RemoteFleet } from "./fleet/remote.js";
import { Ledger } from "./ledger.js";
import { Line } from "./line.js";
import { drawSubscriptions, SMALL, type Plan } from "./plan.js";
import { Publishers } from "./publish/publishers.js";
import { sleep, type Random } from "./random.js";
import type { FleetRecord, Interval, Stranding } from "./record.js";
import type { Store } from "./stores/store.js";

export interface WorldOptions {
  readonly store: Store;
  readonly random: Random;
  readonly plan?: Plan;
  readonly relays?: number;
  /** The path of haproxy: clients then go through it instead of straight to a relay. */
  readonly haproxy?: string | undefined;
  /** Part of the clients live in a process of their own. */
  readonly remote?: boolean;
  /** False: clients come back as if they had never been there. */
  readonly recovery?: boolean;
  /** Node's arguments for another relay than `bellwire serve`. */
  readonly program?: readonly string[];
}

/** Every so many clients subscribe by server-sent events. */
const EVENTS_EVERY = 3;

/** A client, and the line that it comes over. */
export interface Caller {
  readonly client: string;
  readonly site: string;
  readonly line: Line;
  readonly remote: boolean;
}

/** The address of a relay, and how a test that breaks it reaches it. */
export interface Relay {
  readonly process: RelayProcess;
  /** Its way to Redis, where there is a line. */
  readonly line: Line | undefined;
}

/** Relays, a Redis, publishers and subscribers, all connected by lines that can fail. */
export class World {
  readonly name: string = randomBytes(4).toString("hex");
  readonly appKey: string = `base64:${randomBytes(32).toString("base64")}`;
  readonly apiKey: string = randomBytes(16).toString("hex");
  readonly store: Store;
  readonly plan: Plan;
  readonly random: Random;
  readonly relays: Relay[] = [];
  readonly callers: Caller[] = [];
  readonly fleet: Fleet = new Fleet();
  readonly ledger: Ledger = new Ledger(this.name);
  readonly publishers: Publishers;
  remote: RemoteFleet | undefined;
  /** What excuses a wait. */
  readonly faults: Interval[] = [];
  readonly strandings: Stranding[] = [];
  /** What went wrong beside what subscribers heard. */
  readonly complaints: string[] = [];
  readonly #options: WorldOptions;
  readonly #lines: Line[] = [];
  #haproxy: Haproxy | undefined;

  private constructor(options: WorldOptions) {
    this.#options = options;
    this.store = options.store;
    this.random = options.random;
    this.plan = options.plan ?? SMALL;
    this.publishers = new Publishers(this.ledger, this.plan, options.random.fork());
  }

  /** Starts everything and waits until every subscription is confirmed. */
  static async open(options: WorldOptions): Promise<World> {
    const world = new World(options);
    try {
      await world.#start();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { relays = 2, haproxy, remote = false } = this.#options;
    const started = await Promise.all(Array.from({ length: relays }, () => this.#startRelay()));
    this.relays.push(...started);
    if (haproxy !== undefined) {
      const ports = this.relays.map(({ process }) => process.port);
      this.#haproxy = await Haproxy.start({ program: haproxy, relays: ports, shutdownSessions: this.random.chance(0.5) });
    }
    if (remote) this.remote = await RemoteFleet.start();
    for (const site of this.plan.sites) {
      for (let i = 0; i < this.plan.clientsPerSite; i++) await this.join(site, remote && i % 2 === 1);
    }
    this.publishers.add(this.store.emitter);
    this.publishers.add({ url: `http://127.0.0.1:${(await this.#line()).port}`, apiKey: this.apiKey });
    await this.#confirmed();
  }

  async #startRelay(): Promise<Relay> {
    const { env, line } = await this.store.relay();
    // As in production, so that no development aid hides or helps anything.
    const common = { NODE_ENV: "production", APP_KEY: this.appKey, REALTIME_API_KEY: this.apiKey };
    const process = await RelayProcess.start({ ...common, ...env }, this.#options.program);
    process.onCrash = (sentence) => this.complaints.push(sentence);
    return { process, line };
  }

  async #line(): Promise<Line> {
    const caller = `10.1.${this.#lines.length >> 8}.${this.#lines.length & 255}`;
    const line =
      this.#haproxy === undefined
        ? await Line.open({ targets: this.relays.map(({ process }) => process.port) })
        : await Line.open({ targets: [this.#haproxy.port], caller });
    this.#lines.push(line);
    return line;
  }

  /** One more client with subscriptions of its own. */
  async join(site: string, remote = false): Promise<Caller> {
    const line = await this.#line();
    if (this.#haproxy === undefined) line.lead(this.callers.length);
    const caller: Caller = { client: `client ${this.callers.length}`, site, line, remote };
    this.callers.push(caller);
    const { appKey } = this;
    const subscriptions = drawSubscriptions(this.plan, this.random);
    const url = `ws://127.0.0.1:${line.port}`;
    const fleet = remote ? (this.remote as RemoteFleet) : this.fleet;
    const recovery = this.#options.recovery ?? true;
    const wire = this.callers.length % EVENTS_EVERY === 0 ? "events" : "socket";
    fleet.add({ client: caller.client, site, url, appKey, subscriptions, wire, recovery });
    return caller;
  }

  async #confirmed(): Promise<void> {
    for (const end = Date.now() + 30_000; ; await sleep(20)) {
      const open = (await this.#records()).flatMap(({ subscriptions }) => subscriptions).filter(({ confirmed }) => confirmed === undefined);
      const all = this.callers.length * this.#perCaller();
      const made = (await this.#records()).reduce((sum, { subscriptions }) => sum + subscriptions.length, 0);
      if (open.length === 0 && made >= all) return;
      if (Date.now() > end) throw new Error(`${open.length} subscriptions were not confirmed within 30 s: ${this.story()}`);
    }
  }

  #perCaller(): number {
    return this.plan.busy.length * 2 + Math.ceil(this.plan.quiet.length * 0.6);
  }

  async #records(): Promise<FleetRecord[]> {
    await this.remote?.refresh();
    return this.remote === undefined ? [this.fleet.record] : [this.fleet.record, this.remote.record];
  }

  /** The connection of this client is dead from now on, although it may not know. */
  strand({ client }: Caller): void {
    this.strandings.push({ client, from: Date.now() });
  }

  /** Judges all that was heard so far. */
  async verdict(withLogs = false): Promise<Verdict & { readonly contradictions: readonly string[] }> {
    const fleets = await this.#records();
    const entries = withLogs ? await this.#entries() : [];
    const { logs, violations: contradictions } = this.ledger.truth(fleets, entries);
    const { faults, strandings, name: world } = this;
    return { ...check({ logs, fleets, faults, strandings, world, now: Date.now() }), contradictions };
  }

  async #entries(): Promise<Awaited<ReturnType<Store["entries"]>>> {
    const topics = [...this.plan.busy, ...this.plan.quiet];
    const all = await Promise.all(this.plan.sites.flatMap((site) => topics.map((topic) => this.store.entries(site, topic))));
    return all.flat();
  }

  /** Waits until nothing is owed any more, or owed for too long; where wanted no longer than until something is found. */
  async settle(untilViolation = false): Promise<void> {
    await this.publishers.settled();
    for (;;) {
      const { pending, violations } = await this.verdict(true);
      if (pending === 0 || (untilViolation && violations.length > 0)) break;
      await sleep(200);
    }
    // Whatever comes twice comes after the first.
    await sleep(300);
  }

  /** What broke when, and what the relays printed last, for whoever has to find out. */
  story(): string {
    const faults = this.faults.map(({ kind, from, to }) => `${from} to ${to ?? "now"}: ${kind}\n`).join("");
    return (
      faults + this.relays.map(({ process }, i) => `relay ${i} (port ${process.port}):\n${process.lines.slice(-15).join("\n")}`).join("\n")
    );
  }

  async close(): Promise<void> {
    // Not only to be tidy: a client that is still open goes on to reconnect to ports that somebody else may get.
    this.fleet.close();
    await this.remote?.close();
    await this.publishers.close();
    for (const line of this.#lines) line.close();
    await Promise.all(this.relays.map(({ process }) => process.stop()));
    await this.#haproxy?.stop();
    await this.store.stop();
  }
}

import type { ClientPlan, Mark, OpenPlan } from "./load/plan.js";
import { sleep } from "./measure/clock.js";
import { APP_KEY } from "./peers/bellwire.js";
import { API_KEY, type Peer, type Relay, type StartOptions } from "./peers/peer.js";
import type { PublisherSettings, RunPlan } from "./publisher/plan.js";
import { BenchRedis } from "./redis.js";
import { Worker } from "./worker.js";

export interface StageOptions {
  readonly relays?: number;
  readonly sites?: boolean;
  /** Whether every peer checks tokens; Bellwire always does. */
  readonly tokens?: boolean;
  /** Folder for CPU profiles of the relays. */
  readonly profiles?: string | undefined;
}

const CONCURRENCY = 100;
const LOOK_MS = 20;
const CALM_MS = 2000;

/** Everything that one measurement of one peer needs, fresh: a Redis, relays, a load and a publisher, each its own process. */
export class Stage implements AsyncDisposable {
  readonly peer: Peer;
  readonly redis: BenchRedis;
  readonly relays: readonly Relay[];
  readonly load: Worker;
  readonly publisher: Worker;
  readonly #api: Relay | undefined;
  readonly #appKey: string | undefined;

  private constructor(
    peer: Peer,
    parts: { redis: BenchRedis; relays: Relay[]; api: Relay | undefined; load: Worker; publisher: Worker; appKey: string | undefined },
  ) {
    this.peer = peer;
    this.redis = parts.redis;
    this.relays = parts.relays;
    this.load = parts.load;
    this.publisher = parts.publisher;
    this.#api = parts.api;
    this.#appKey = parts.appKey;
    this.load.on("progress", (received: number) => {
      this.publisher.call("progress", received).catch(() => undefined); // it ends with the measurement
    });
  }

  static async start(peer: Peer, { relays: count = 1, sites = false, tokens = false, profiles }: StageOptions = {}): Promise<Stage> {
    const redis = await BenchRedis.start();
    const appKey = tokens || peer.name === "bellwire" ? APP_KEY : undefined;
    const execArgv = profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}`];
    const options: StartOptions = { redis: redis.url, sites, appKey, execArgv };
    const relays: Relay[] = [];
    for (let i = 0; i < count; i++) relays.push(await peer.start(options));
    const api = await peer.startApi?.(options);
    const settings: PublisherSettings = {
      sender: peer.sender,
      redis: redis.url,
      http: `http://127.0.0.1:${(api ?? (relays[0] as Relay)).port}`,
      apiKey: API_KEY,
    };
    const { worker: load } = await Worker.start("./load/main.js");
    const { worker: publisher } = await Worker.start("./publisher/main.js", { settings });
    return new Stage(peer, { redis, relays, api, load, publisher, appKey });
  }

  get relay(): Relay {
    return this.relays[0] as Relay;
  }

  /** Connects clients, all subscribed when it resolves. */
  async open(
    clients: readonly ClientPlan[],
    more: { relay?: Relay; concurrency?: number; comeback?: OpenPlan["comeback"] } = {},
  ): Promise<void> {
    const { relay = this.relay, concurrency = CONCURRENCY, comeback } = more;
    const plan: OpenPlan = {
      dialect: this.peer.dialect,
      port: relay.port,
      clients,
      concurrency,
      ...(this.#appKey === undefined ? {} : { appKey: this.#appKey }),
      ...(comeback === undefined ? {} : { comeback }),
    };
    await this.load.call("open", plan);
  }

  /** Reads the load's counts, and the CPU of all processes at the same moment. */
  mark(): Promise<Mark> {
    return this.load.call<Mark>("mark", [...this.relays.map(({ pid }) => pid), this.redis.pid, this.publisher.pid, this.load.pid]);
  }

  async publish(plan: RunPlan): Promise<void> {
    await this.load.call("follow", true);
    await this.publisher.call("start", plan);
  }

  /** Ends publishing and waits for what is on its way, until nothing more comes. Gives how much was sent. */
  async settle(expected: (sent: number) => number): Promise<{ sent: number; mark: Mark }> {
    const sent = await this.publisher.call<number>("stop");
    await this.load.call("follow", false);
    let mark = await this.mark();
    for (let calm = 0; mark.received < expected(sent) && calm < CALM_MS;) {
      await sleep(LOOK_MS);
      const now = await this.mark();
      calm = now.received > mark.received ? 0 : calm + LOOK_MS;
      mark = now;
    }
    return { sent, mark };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.load.stop(), this.publisher.stop()]);
    await Promise.all([...this.relays, ...(this.#api === undefined ? [] : [this.#api])].map((relay) => relay.stop()));
    await this.redis[Symbol.asyncDispose]();
  }
}

/** What lies between two marks: seconds, messages received, and CPU in microseconds of one process. */
export function between(before: Mark, after: Mark): { seconds: number; received: number; frames: number; cpu: (pid: number) => number } {
  return {
    seconds: (after.at - before.at) / 1e6,
    received: after.received - before.received,
    frames: after.frames - before.frames,
    cpu: (pid) => ((after.cpu[pid] ?? 0) - (before.cpu[pid] ?? 0)) / 1000,
  };
}

import { BellwireError } from "@bellwire/protocol";
import type { Config } from "../config/config.js";
import { NoticeSender } from "../hooks/notice-sender.js";
import { Unanswered } from "../hooks/unanswered.js";
import { Notices } from "../notices/notices.js";
import type { Metrics } from "../observe/metrics.js";
import type { Connection } from "../connection/connection.js";
import type { ConnectionObserver, SubscriptionObserver } from "../connection/observers.js";
import type { Stores } from "../stores/stores.js";
import { PresenceRoster } from "./roster.js";

export interface AttendanceOptions {
  readonly config: Pick<Config, "hooks" | "keys">;
  readonly stores: Pick<Stores, "presence" | "notices" | "settings">;
  /** The backend did not take its notices: a sentence. */
  readonly onUndelivered: (message: string) => void;
  readonly onTrouble: (error: unknown, stage: string) => void;
  readonly metrics?: Metrics;
  /** A notice of this site is lost, and why. */
  readonly onNoticeLost?: ((site: string, error: BellwireError) => void) | undefined;
}

const LOST = {
  overflow: new BellwireError("limit", "Too many notices of it wait for the backend: the oldest are dropped"),
  refused: new BellwireError("unavailable", "The backend took none of these notices for long: they are given up"),
} as const;

/** Who is there, for clients and for the backend. What nobody asked for is not kept. */
export class Attendance {
  /** Undefined where no topic has presence. */
  readonly #roster: PresenceRoster | undefined;
  /** Undefined where no backend is told. */
  readonly #notices: Notices | undefined;
  readonly #sender: NoticeSender | undefined;
  readonly connectionObservers: readonly ConnectionObserver[];
  readonly subscriptionObservers: readonly SubscriptionObserver[];

  constructor({ config, stores, onUndelivered, onTrouble, onNoticeLost, metrics }: AttendanceOptions) {
    const on = (stage: string) => (error: unknown) => onTrouble(error, stage);
    const { settings: sites } = stores;
    if ([...sites.all()].some(({ offers }) => offers.presence)) {
      this.#roster = new PresenceRoster({
        store: stores.presence,
        allowed: (topic, site) => {
          const { presence } = sites.of(site).topic(topic);
          return presence === true ? "list" : presence;
        },
        infoOf: ({ permit }, { info }) => info ?? permit.info,
        onTrouble: on("presence"),
        metrics,
      });
    }
    const { notices: settings, secret } = config.hooks;
    if (settings !== undefined) {
      const sender = new NoticeSender(settings, secret, config.keys.keys[0]?.key ?? "");
      this.#sender = sender;
      const deliver: NoticeSender["deliver"] = (body) => sender.deliver(body);
      this.#notices = new Notices({
        settings,
        deliver,
        store: stores.notices,
        onUndelivered: (error) => onUndelivered(`The notices hook at ${sender.address}: ${wordsOf(error)}; it is told again`),
        onTrouble: on("notices"),
        metrics,
        onDropped: (site, why) => onNoticeLost?.(site, LOST[why]),
      });
    }
    const notices = this.#notices === undefined ? [] : [this.#notices];
    this.connectionObservers = notices;
    this.subscriptionObservers = this.#roster === undefined ? notices : [this.#roster, ...notices];
  }

  /** Answers a client. Rejects with `forbidden` where the topic shows nobody, or the client does not watch it. */
  async ask(connection: Connection, topic: string): Promise<object> {
    if (this.#roster === undefined) throw new BellwireError("forbidden", "This topic shows nobody's presence");
    return this.#roster.ask(connection, topic);
  }

  /** Answers a backend. Rejects with `forbidden` where the topic shows nobody. */
  async list(site: string, topic: string): Promise<Awaited<ReturnType<PresenceRoster["list"]>>> {
    if (this.#roster === undefined) {
      throw new BellwireError("forbidden", "No topic of this relay has presence: set it in the configuration");
    }
    return this.#roster.list(site, topic);
  }

  /** To be called when all connections are gone, and before the stores close. What is not told by then is told by another relay. */
  async close(): Promise<void> {
    this.#roster?.close();
    await this.#notices?.close();
    await this.#sender?.close();
  }
}

/** What happened, where somebody has said it; what clients may read is less. */
function wordsOf(error: unknown): string {
  return error instanceof Unanswered ? error.detail : (error as Error).message;
}

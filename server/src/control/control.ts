import type { Command } from "@bellwire/emitter/commands";
import { parseFilter, parseSite, parseTopic } from "@bellwire/protocol";
import type { Logger } from "../observe/logger.js";
import type { Stats } from "../observe/stats.js";
import type { Revocations } from "../revocations/revocations.js";
import type { ControlBus } from "../stores/bus.js";
import type { Commands } from "./commands.js";
import type { ClusterCounts, RelayCounts } from "../stores/counts.js";
import type { Keeper } from "./keeper.js";
import type { Watchers } from "./watchers.js";

export interface ControlOptions {
  readonly bus: ControlBus;
  readonly commands: Commands;
  readonly revocations: Revocations;
  readonly keeper: Keeper;
  readonly watchers: Watchers;
  /** This relay's own numbers. */
  readonly counts: () => RelayCounts;
  readonly stats: Stats;
  readonly logger: Logger;
}

/** One relay's part in control: hears commands and has them done, and answers what other relays ask. */
export class Control {
  readonly #options: ControlOptions;

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  /** Begins to hear commands. To be called once, before the log connects. */
  start(): void {
    const { bus, commands, revocations, keeper, watchers, counts, stats } = this.#options;
    bus.start({
      command: (command) => this.#execute(() => commands.execute(command)),
      counts,
      watches: (question) => watchers.watches(question),
      garbage: () => {
        stats.garbage++;
      },
      restored: () => {
        // Some may have been missed, of which what was stored can still be learnt. Neither of the two rejects.
        void revocations.reread();
        void keeper.reread();
      },
    });
    revocations.start((fresh) => this.#execute(() => commands.enforce(fresh)));
    keeper.start();
  }

  #execute(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.logger.failure("control", error);
    }
  }

  /** Tells every relay. Rejects with a BellwireError within 5 s. */
  async send(command: Command): Promise<void> {
    await this.#options.bus.send(command);
  }

  /** Asks every relay. Rejects with `unavailable`. */
  async counts(): Promise<ClusterCounts> {
    return this.#options.bus.counts();
  }

  /**
   * Whether anybody at all is watching, on any relay, so that a publisher can skip the work; in doubt the answer is yes. It is
   * about now: a client on its way back from a lost connection watches nothing yet.
   * @param filter what the message is known to hold; none: anything on the topic. Rejects with `bad-request` or `forbidden`.
   */
  async watched(site: string, topic: string, filter?: unknown): Promise<boolean> {
    return this.#options.bus.watched({ site: parseSite(site), topic: parseTopic(topic), filter: parseFilter(filter) });
  }

  /** The bus is the stores' to close. */
  close(): void {
    this.#options.revocations.stop();
    this.#options.keeper.stop();
  }
}

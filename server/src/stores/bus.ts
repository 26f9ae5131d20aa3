import type { Command } from "@bellwire/emitter/commands";
import type { ClusterCounts, RelayCounts } from "./counts.js";
import type { WatchQuestion } from "./watch-question.js";

/** What a bus tells and asks its relay. None of these may throw. */
export interface ControlListener {
  /** A command for every relay, checked. It may come twice. */
  command(command: Command): void;
  /** This relay's own numbers. */
  counts(): RelayCounts;
  /** Is anybody watching on this relay? */
  watches(question: WatchQuestion): boolean;
  /** Something came that is neither a command nor an answer. */
  garbage(): void;
  /** The bus was cut and is whole again: commands may have been missed. */
  restored(): void;
}

/** How relays hear of commands, and of each other. */
export interface ControlBus {
  /** MUST be called once, before anything else. */
  start(listener: ControlListener): void;
  /** Tells every relay, this one included; all but `disconnect` are stored before. Rejects with a BellwireError within 5 s. */
  send(command: Command): Promise<void>;
  /** Asks every relay. Rejects with `unavailable` within 5 s where nobody can be asked. */
  counts(): Promise<ClusterCounts>;
  /** Asks every relay whether anybody is watching, within a second. In doubt the answer is yes; never rejects. */
  watched(question: WatchQuestion): Promise<boolean>;
  close(): void;
}

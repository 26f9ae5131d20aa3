import type { EmitterOptions } from "@bellwire/emitter";
import type { Line } from "../line.js";
import type { LogEntry } from "../record.js";

/** The Redis of a world, in one of its forms. */
export interface Store {
  /** What a relay has to be told; each call is for another relay, with a line of its own where the form allows one. */
  relay(): Promise<{ readonly env: Readonly<Record<string, string>>; readonly line?: Line }>;
  readonly emitter: EmitterOptions;
  /** Every entry of a topic's log as it stands there now. */
  entries(site: string, topic: string): Promise<LogEntry[]>;
  stop(): Promise<void>;
}

export type DialectName = "bellwire" | "socket-io" | "ws" | "centrifugo";

/** A topic, and the value that `id` in the data must have, if any. */
export interface Wish {
  readonly topic: string;
  readonly id?: number;
}

/** One client of the load. */
export interface ClientPlan {
  /** Absent: the one site of a scenario that has no more. */
  readonly site?: string;
  /** May be empty: then it only connects. */
  readonly wishes: readonly Wish[];
  /** The number of the first message that is for this client, and the distance to each next: order and exactly-once are checked by it. */
  readonly expect?: { readonly first: number; readonly step: number };
  /** Whether the latency of what it gets is sampled. */
  readonly sampled?: boolean;
}

export interface OpenPlan {
  readonly dialect: DialectName;
  readonly port: number;
  readonly appKey?: string;
  readonly clients: readonly ClientPlan[];
  /** Handshakes under way at a time. */
  readonly concurrency: number;
  /** Where clients go when their server is gone, and how soon: evenly spread from `after` to `after + spread` milliseconds. */
  readonly comeback?: { readonly port: number; readonly after: number; readonly spread: number };
}

/** The site of clients and messages that name none. */
export const ONE_SITE = "bench";

/** A reading of the load, and of processes at the same moment. */
export interface Mark {
  /** Microseconds. */
  readonly at: number;
  /** Messages that arrived so far, over all clients. */
  readonly received: number;
  readonly frames: number;
  /** Messages that came twice, or after a later one. */
  readonly repeated: number;
  /** Messages that were due and had not come when a later one did. */
  readonly missed: number;
  /** Nanoseconds of CPU by process id. */
  readonly cpu: Readonly<Record<number, number>>;
}

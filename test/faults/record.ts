/** What was published, and what everybody heard: the facts that the checker judges. All times are epoch milliseconds of one clock. */

export interface Place {
  readonly epoch: string;
  readonly offset: number;
}

/** An epoch as the log has it: clients are told it with a mark while a failover may still cost messages. */
export function epochOf(told: string): string {
  return told.replace(/~$/, "");
}

/** Every message carries where it belongs, so that one in the wrong place is seen. */
export interface Content {
  /** Counts through all messages of a world. */
  readonly n: number;
  readonly world: string;
  readonly site: string;
  readonly topic: string;
  readonly [key: string]: unknown;
}

/** An entry as it stands in Redis. */
export interface LogEntry extends Place {
  readonly site: string;
  readonly topic: string;
  readonly time: number;
  readonly data: unknown;
}

export interface HeardMessage extends Place {
  readonly kind: "message";
  readonly at: number;
  readonly topic: string;
  /** Redis's clock, which here is the same as ours. */
  readonly time: number;
  readonly data: Readonly<Record<string, unknown>>;
  readonly replay: boolean;
}

export interface HeardResync {
  readonly kind: "resync";
  readonly at: number;
  readonly topic: string;
}

export type Heard = HeardMessage | HeardResync;

export type Filter = Readonly<Record<string, unknown>>;

/** One subscription from its first confirmation on. */
export interface SubscriptionRecord {
  readonly client: string;
  readonly site: string;
  readonly topic: string;
  readonly filter: Filter;
  readonly asked: number;
  /** When the relay first confirmed it: whatever is published from then on is owed. */
  confirmed: number | undefined;
  ended: number | undefined;
  /** Why it was refused for good. */
  error: string | undefined;
  readonly heard: Heard[];
}

export interface ClientRecord {
  readonly client: string;
  readonly site: string;
  readonly states: { readonly state: string; readonly at: number }[];
  readonly errors: string[];
}

/** What a fleet of clients has seen so far. */
export interface FleetRecord {
  readonly clients: readonly ClientRecord[];
  readonly subscriptions: readonly SubscriptionRecord[];
}

/** A stretch of time; without an end it still lasts. */
export interface Interval {
  readonly from: number;
  readonly to: number | undefined;
  /** Which fault it was. */
  readonly kind: string;
}

/** The connection of one client is known to be of no use from then on, until it connects anew. */
export interface Stranding {
  readonly client: string;
  readonly from: number;
}

import type { Position } from "@bellwire/protocol";

/** Whom a message leaves out: every socket of this user, session or page load. At least one is given. */
export interface Except {
  readonly user?: string;
  readonly session?: string;
  readonly client?: string;
}

/** One message for one topic's log, checked and encoded. */
export interface Publication {
  readonly site: string;
  /** A topic name, already checked; reserved ones only where the server API made them. */
  readonly topic: string;
  /** The data's JSON text: an object. */
  readonly data: string;
  /** Kept in the log's entry, so that a retry finds what the first attempt did. 1 to 128 characters. */
  readonly id: string;
  /** True when the caller gave the id as an idempotency key: then it also holds for 5 minutes against other publishers. */
  readonly idempotent: boolean;
  /** True when an earlier attempt with this id may have gone in. */
  readonly retry: boolean;
  readonly except?: Except;
}

/** One way to a topic log: Redis, a relay's HTTP API, or memory. */
export interface Transport {
  /**
   * One attempt, no retries: resolves to where the message stands in its log.
   * MUST settle within `timeout` milliseconds and MUST reject with a BellwireError only; `unavailable` and `timeout`
   * mean "outcome unknown": the caller may try again with `retry: true`.
   */
  append(publication: Publication, timeout: number): Promise<Position>;
  /** Ends all connections; pending attempts reject with `unavailable`. */
  close(): Promise<void>;
}

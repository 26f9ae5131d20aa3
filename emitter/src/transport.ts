import type { Position } from "@bellwire/protocol";
import type { Command } from "./control/command.js";
import type { Addressee } from "./personal.js";

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
  /** Whose log it is where the topic is personal: over HTTP it is addressed so. */
  readonly addressee?: Addressee;
}

/** One way to the topic logs: Redis, a relay's HTTP API, or memory. */
export interface LogTransport {
  /**
   * One attempt, no retries: resolves to where the message stands in its log.
   * MUST settle within `timeout` milliseconds and MUST reject with a BellwireError only; `unavailable` and `timeout`
   * mean "outcome unknown": the caller may try again with `retry: true`.
   */
  append(publication: Publication, timeout: number): Promise<Position>;
  /** Ends all connections; pending attempts reject with `unavailable`. */
  close(): Promise<void>;
}

/** One way to the relays: to their topic logs, and to what they can be told. */
export interface Transport extends LogTransport {
  /** True for a transport that keeps its timeouts by itself; any other one is watched, which costs a little for each publish. */
  readonly punctual?: boolean;
  /**
   * One attempt to tell all relays of a command, which is stored before it is told where that matters (`revoke`).
   * MUST settle within `timeout` milliseconds and MUST reject with a BellwireError only; any attempt may be repeated.
   */
  control(command: Command, timeout: number): Promise<void>;
}

import type { DialectName } from "../load/plan.js";
import type { SenderName } from "../publisher/plan.js";
import type { Worker } from "../worker.js";

export type PeerName = "bellwire" | "socket-io" | "ws" | "ws-raw" | "centrifugo";

export interface StartOptions {
  /** URL of the Redis of this measurement. */
  readonly redis: string;
  /** Whether clients are spread over sites. */
  readonly sites: boolean;
  /** Set where clients come with tokens that the server must check. */
  readonly appKey: string | undefined;
  readonly execArgv: readonly string[];
}

/** A server process of a peer. */
export interface Relay {
  readonly pid: number;
  readonly port: number;
  /** For questions over IPC; absent for servers that are not ours to ask. */
  readonly worker: Worker | undefined;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export interface Peer {
  readonly name: PeerName;
  readonly title: string;
  readonly dialect: DialectName;
  readonly sender: SenderName;
  /** The settings that it is given, in a sentence for the results. */
  readonly settings: string;
  /** Why it can't be had, or undefined where it can. */
  unavailable(): Promise<string | undefined>;
  start(options: StartOptions): Promise<Relay>;
  /** A further process that publishers talk to, where they don't talk to Redis. Gives its HTTP address. */
  startApi?(options: StartOptions): Promise<Relay>;
}

export const API_KEY = "bench-api-key-0123456789";

import type { Position } from "@bellwire/protocol";
import type { Tail } from "../stores/log.js";
import type { Message } from "./message.js";
import type { Ring } from "./ring.js";

/** Why a feed's members are told to refetch; travels as the `cause` of `resync`. */
export type ResyncCause = "gap" | "epoch" | "degraded";

/** What a feed needs of its relay. */
export interface FeedHost<Feed> {
  /** Reads the log, after a position or all of it; rejects where it can't be read now. */
  read(feed: Feed, since?: Position): Promise<Tail>;
  /** Reads the log's newest messages, at most `TAIL_MESSAGES`. */
  readTail(feed: Feed): Promise<Tail>;
  /** Is an epoch of the log newer than another one? */
  isNewer(epoch: string, than: string): boolean;
  /** The log's clock, epoch milliseconds. */
  now(): number;
  /** Has the feed flushed at the end of this event-loop turn. */
  scheduleFlush(feed: Feed): void;
  /** True while the feed's channel is confirmed: only then can it know that it hears everything. */
  hears(feed: Feed): boolean;
  /** Milliseconds over which that many sockets should spread their refetches. */
  spread(sockets: number): number;
  /** Bytes that the feed's memory may take now. */
  ringBytes(): number;
  /** A client has heard of a failover that this feed knows nothing of. */
  rumour(feed: Feed): void;
  /** For counters and logs only. */
  observe(event: "gap" | "resync" | "invalid" | "overflow", feed: Feed, cause?: ResyncCause): void;
  /** A delivered message, where somebody wants to look at it (type hints in development). */
  inspect?: ((feed: Feed, message: Message) => void) | undefined;
}

/** What `older` read: a ring over the whole log, and the epoch it is of. */
export interface Older {
  readonly epoch: string;
  readonly ring: Ring;
}

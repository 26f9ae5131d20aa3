import type { Position } from "@bellwire/protocol";
import type { Except, LogTransport } from "@bellwire/emitter/publication";

/** One message as a log keeps it. `data` stays the JSON text that was published: it is spliced into frames, not encoded anew. */
export interface Entry {
  readonly offset: number;
  /** Epoch milliseconds. */
  readonly time: number;
  readonly data: string;
  readonly except: Except | undefined;
}

/** What a read found: the head, and the entries after the position asked for, in order. Whether they are all of them is for the reader to prove. */
export interface Tail {
  readonly head: Position;
  readonly entries: readonly Entry[];
}

/** How many messages are read of a log that opens. Whoever needs more of it reads on. */
export const TAIL_MESSAGES = 25;

/** What a log tells its relay. None of these may throw. */
export interface LogListener {
  /** A message on a channel that is listened to; in a faultless world in offset order. */
  message(feed: string, epoch: string, entry: Entry): void;
  /** Something on a channel that is no message: the log itself has to be read. */
  garbage(feed: string): void;
  /** These feeds' channels are cut: from now on messages may be missed. */
  lost(feeds: readonly string[], cause: string): void;
  /** These feeds' channels are confirmed again: time to read what was missed. */
  restored(feeds: readonly string[]): void;
  /** A log that nobody listens to has begun anew: another server may have taken the place of the one before. */
  renewed(): void;
}

/** `site:topic`, the name of a feed within a relay. */
export function feedName(site: string, topic: string): string {
  return `${site}:${topic}`;
}

/**
 * The logs of all topics. Guarantees, the same in memory and on Redis:
 * - `append` gives each message the next offset of its topic's epoch, keeps it, and tells every listener at most once.
 * - an id that was appended is found again by a retry among the newest 1,000, or for 5 minutes where the caller gave it.
 * - offsets of one epoch are never handed out twice with different content; where that can't be vouched for, the epoch changes.
 * - the newest entry is never dropped, so that the head can always be told.
 */
export interface TopicLog extends LogTransport {
  /**
   * What came after `since`, or what is kept. Opens the log where nobody did, so that "nothing yet" has a position.
   * Rejects with `unavailable` where the log is silent for longer than its own timeout.
   * @param since any position, of whatever epoch; after one that no log of these ever told, the head alone is read
   * @param limit at most so many messages: the first ones after `since`, or without it the newest, fewer only where the log keeps
   * no more; 0: the head alone. Default: all
   */
  read(site: string, topic: string, since?: Position, limit?: number): Promise<Tail>;
  /** Which of two epochs is newer? They MUST be of this log's making: to everybody else they are opaque texts, the same or not. */
  isNewer(epoch: string, than: string): boolean;
  /** When an epoch of this log's making began, epoch milliseconds by its clock. */
  began(epoch: string): number;
  /** Listens on a topic's channel; resolves once it is confirmed. Rejects with `unavailable`; it is then tried again by itself after a reconnect. */
  listen(site: string, topic: string): Promise<void>;
  unlisten(site: string, topic: string): void;
  /** True while a topic's channel is confirmed; between `lost` and `restored` it is false. */
  hears(site: string, topic: string): boolean;
  /** MUST be called once, before anything else. */
  start(listener: LogListener): Promise<void>;
  /** The log's own clock, which gives messages their time; epoch milliseconds, as far as it is known from here. */
  now(): number;
  readonly status: LogStatus;
}

export interface LogStatus {
  /** False while messages may be missed or commands fail. */
  readonly up: boolean;
  /** True once it has been up. */
  readonly everUp: boolean;
  /** What is wrong, in a few words. */
  readonly problem: string | undefined;
}

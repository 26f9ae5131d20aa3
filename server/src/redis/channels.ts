/** What channels tell the log. None of these may throw. */
export interface ChannelsListener {
  message(channel: string, payload: string): void;
  /** These channels were cut: from now on their messages may be missed. */
  lost(channels: readonly string[], cause: string): void;
  /** These channels are confirmed again. */
  restored(channels: readonly string[]): void;
  /** A connection is usable, at first or again. */
  ready(): void;
  /** Troubles, for the log; nothing depends on them. */
  error(error: unknown, stage: string): void;
}

/** One connection that channels come over: a single Redis has one, a Cluster one for each master in use. */
export interface ChannelLine {
  readonly id: string;
  readonly ready: boolean;
  /** Would this channel come over this line? */
  owns(channel: string): boolean;
  /** Gives the connection up and makes a new one; its channels are lost, then restored. */
  reconnect(cause: string): void;
}

/**
 * Sharded channels of a Redis. Guarantees:
 * - a channel once subscribed stays wanted until `unsubscribe`, over any number of reconnects and moves between masters;
 * - between `lost` and `restored` of a channel messages may be missed; outside, each is told once and in the order it was published.
 */
export interface Channels {
  /** MUST be called once, before anything else. */
  start(listener: ChannelsListener): void;
  /** Resolves once confirmed. Rejects with `unavailable` where that can't be now; then `restored` tells of it later. */
  subscribe(channel: string): Promise<void>;
  unsubscribe(channel: string): void;
  /** True while this channel is confirmed. */
  hears(channel: string): boolean;
  readonly lines: readonly ChannelLine[];
  /** What is wrong, in a few words; undefined while every line in use is ready. */
  readonly problem: string | undefined;
  close(): void;
}

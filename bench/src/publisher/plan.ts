export type SenderName = "bellwire" | "socket-io" | "ws" | "centrifugo";

export interface PublisherSettings {
  readonly sender: SenderName;
  readonly redis: string;
  /** A relay's HTTP address, for senders and measurements that use one. */
  readonly http?: string;
  readonly apiKey?: string;
}

/** Where message `n` goes: to site `n % sites`, with the id `n % ids`. */
export interface Target {
  readonly topic: string;
  /** Absent: all to one site. */
  readonly sites?: number;
  /** Absent: messages go to the whole topic, and there are no filters. */
  readonly ids?: number;
  /** Absent: one topic; else the name gets the number `n % topics`. */
  readonly topics?: number;
}

/** Publishes at a fixed rate, or so that at most `window` messages are not yet with everybody. */
export type Pace = { readonly rate: number } | { readonly window: number; readonly deliveriesPerMessage: number };

export interface RunPlan {
  readonly target: Target;
  readonly pace: Pace;
  /** Ends after so many messages, or when told to stop. */
  readonly most?: number;
}

export interface PublishFigures {
  readonly published: number;
  readonly failed: number;
  readonly seconds: number;
  /** Microseconds from the call to its answer. */
  readonly latencies: Float64Array;
}

export function siteName(index: number): string {
  return `site-${index}`;
}

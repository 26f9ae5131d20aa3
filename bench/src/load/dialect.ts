import type { ClientPlan } from "./plan.js";
import type { Tally } from "./tally.js";

/** A client as its dialect sees it. */
export interface Speaker {
  readonly plan: ClientPlan;
  readonly number: number;
  readonly tally: Tally;
  /** Subscribed to all that the plan wants. */
  ready: boolean;
  /** What the dialect has to remember over reconnects: tickets and positions. */
  memory: unknown;
  send(text: string): void;
  done(): void;
  fail(reason: string): void;
}

/** What a peer's clients say. The text of a frame is `bytes[start..end)` and valid only during the call. */
export interface Dialect {
  path(plan: ClientPlan): string;
  /** The WebSocket is open. */
  opened(client: Speaker): void;
  /** Calls `client.done()` once all wishes are confirmed, and counts what comes. */
  text(client: Speaker, bytes: Buffer, start: number, end: number): void;
}

import type { LoadClient } from "./client.js";
import type { ClientPlan } from "./plan.js";

/** What a peer's clients say. The text of a frame is `bytes[start..end)` and valid only during the call. */
export interface Dialect {
  path(plan: ClientPlan): string;
  /** The WebSocket is open. */
  opened(client: LoadClient): void;
  /** Calls `client.done()` once all wishes are confirmed, and counts what comes. */
  text(client: LoadClient, bytes: Buffer, start: number, end: number): void;
}

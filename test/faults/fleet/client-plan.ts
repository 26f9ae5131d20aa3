import type { Filter } from "../record.js";

/** One client, as JSON: a fleet may live in another process. */
export interface ClientPlan {
  readonly client: string;
  readonly site: string;
  readonly url: string;
  readonly appKey: string;
  readonly subscriptions: readonly { readonly topic: string; readonly filter: Filter; readonly replay: boolean }[];
  /** What it subscribes over. */
  readonly wire: "socket" | "events";
  /** False: it comes back with subscriptions made anew, as if it had never been there. For showing that the checker checks. */
  readonly recovery: boolean;
}

import type { BellwireError } from "@bellwire/protocol";
import type { SubscriptionProof } from "../auth/tickets.js";
import type { Feed } from "../feed/feed.js";
import type { Older } from "../feed/feed-host.js";
import type { Answers } from "./answers.js";
import type { Intent } from "./connection.js";
import type { RoomBudget } from "./room-budget.js";
import type { SubscribeRequest } from "./subscribe-item.js";

/** What is to be subscribed, and what allows it. */
export interface Admitted {
  readonly request: Pick<SubscribeRequest, "id" | "topic" | "filter" | "since">;
  readonly proof: SubscriptionProof;
  /** One to go on with; undefined where a new one is to be made. */
  readonly ticket: string | undefined;
  readonly info?: unknown;
  readonly granted?: boolean;
  readonly held: boolean;
}

/** What the items of one frame share. */
export interface Frame {
  readonly rooms: RoomBudget;
  readonly answers: Answers;
}

/** An item on its way: admitted, its feed claimed. */
export interface Prepared extends Admitted {
  readonly intent: Intent;
  readonly feed: Feed;
  readonly older: Older | undefined;
  readonly answers: Answers;
}

/** An id taken for a subscription under way. */
export interface Begun {
  readonly id: string;
  readonly intent: Intent;
}

export type Refused = { readonly id: string; readonly error: BellwireError };

/** What has become of an item before anything is made. */
export type Step = Prepared | Refused;

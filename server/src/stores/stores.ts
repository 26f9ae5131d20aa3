import type { Settings } from "../config/settings.js";
import type { ControlBus } from "./bus.js";
import type { HeldStore } from "./held.js";
import type { TopicLog } from "./log.js";
import type { NoticeStore } from "./notices.js";
import type { PresenceStore } from "./presence.js";
import type { RevocationStore } from "./revocations.js";

/**
 * Everything that outlives a connection, each by what it guarantees. A backend for it is one folder beside `memory` and `redis`,
 * and a case in `createStores`: nobody else knows which one there is.
 */
export interface Stores {
  readonly log: TopicLog;
  readonly bus: ControlBus;
  readonly revocations: RevocationStore;
  readonly held: HeldStore;
  readonly presence: PresenceStore;
  readonly notices: NoticeStore;
  /** What each site is and allows. Neither backend keeps anything of it yet: both hand on what the configuration says. */
  readonly settings: Settings;
  /** Whether relays share these stores, or each process has its own. */
  readonly shared: boolean;
  /** True where another server may take the place of the one that holds the logs, and forget what that one had acknowledged. */
  readonly mayFailOver: boolean;
  /** To be called last. What this relay has in them for others counts for a moment longer: its users are on their way to another relay. */
  close(): Promise<void>;
}

/** What stores tell whoever runs the relay; nothing depends on it. None of these may throw. */
export interface StoresListener {
  /** Something failed that is tried again. */
  trouble(error: unknown, stage: string): void;
  /** They can be reached, at first or again. @param address without secrets */
  up(address: string): void;
  /** They turn out unusable for good: the relay ends with this sentence. */
  fatal(message: string): void;
}

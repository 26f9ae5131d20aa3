import type { Notice, Party, Place } from "../notices/notice.js";

/** What a relay leaves to be told when it ends. */
export interface Legacy {
  readonly parties: readonly Party[];
  readonly notices: readonly Notice[];
  readonly places: readonly Place[];
}

/** Whether a relay is the first that has subscriptions of a place, or the last that had some. */
export interface Turn {
  readonly turned: boolean;
  /** Epoch milliseconds. */
  readonly time: number;
}

export interface NoticeStoreListener {
  /**
   * What this relay registered may be gone, as after an outage: everything has to be registered again.
   * @param taken others took this relay for gone, and have told that its connections are
   */
  lost(taken: boolean): void;
  /** What a relay that is gone has left, some of it; it may come twice. Returns the ids of the notices that this became, all set. @throws where it can't be taken on now */
  inherit(legacy: Legacy): readonly string[];
}

/**
 * What other relays have to know of this one to tell its notices should it end. Nothing here may hold up the notices themselves:
 * writes are gathered, and repeated where they fail.
 */
export interface NoticeStore {
  /** MUST be called once, before anything else. */
  start(listener: NoticeStoreListener): void;
  setParty(party: Party): void;
  deleteParty(connection: string): void;
  setNotice(notice: Notice): void;
  deleteNotice(id: string): void;
  /** This relay has subscriptions of a place, or has none any more. Rejects with a BellwireError. */
  occupy(place: Place, has: boolean): Promise<Turn>;
  /** The same for a relay that is gone. */
  vacateFor(relay: string, place: Place): Promise<Turn>;
  /** Writes what is still to be written. Never rejects. */
  close(): Promise<void>;
}

import type { StoredRevocation } from "../revocations/revocation.js";

/** Some of a store's revocations. */
export interface RevocationPage {
  /** The store's clock, epoch milliseconds. */
  readonly now: number;
  /** Revocations in force in all, readable or not. */
  readonly count: number;
  /** The oldest first; fewer than `REVOCATION_PAGE` where there are no more. */
  readonly rows: readonly StoredRevocation[];
}

export const REVOCATION_PAGE = 5000;

/** Where revocations are kept, for all relays. */
export interface RevocationStore {
  /** Tells when it becomes unreachable, and when it is reachable again. MUST be called once, before anything else. */
  start(lost: () => void, back: () => void): void;
  /** False while it is known that nothing can be read. */
  readonly reachable: boolean;
  /**
   * Reads revocations of a time or later.
   * @param from epoch milliseconds
   * @param skip how many of them to leave out, for further pages
   * Rejects with a BellwireError within a few seconds.
   */
  read(from: number, skip: number): Promise<RevocationPage>;
  /** Puts back what the store has lost, with the time that each had. Rejects with a BellwireError. */
  restore(revocations: readonly StoredRevocation[]): Promise<void>;
}

import { BellwireError } from "@bellwire/protocol";
import { MAX_REVOCATIONS, REVOCATION_LIFE_MS, revocationText, type RevokeCommand } from "@bellwire/emitter/commands";
import type { StoredRevocation } from "../../revocations/revocation.js";
import { REVOCATION_PAGE, type RevocationPage, type RevocationStore } from "../revocations.js";

/** Revocations of one process; they end with it, as its tokens' connections do. */
export class MemoryRevocations implements RevocationStore {
  /** The oldest first. */
  readonly #times = new Map<string, number>();
  readonly reachable = true;

  start(): void {}

  /** @throws BellwireError `limit` */
  add(command: RevokeCommand): void {
    const now = Date.now();
    this.#expire(now);
    const text = revocationText(command);
    if (!this.#times.delete(text) && this.#times.size >= MAX_REVOCATIONS)
      throw new BellwireError("limit", `More than ${MAX_REVOCATIONS} revocations are in force`);
    this.#times.set(text, now);
  }

  async read(from: number, skip: number): Promise<RevocationPage> {
    const now = Date.now();
    this.#expire(now);
    const rows = [...this.#times].filter(([, at]) => at >= from).slice(skip, skip + REVOCATION_PAGE);
    return { now, count: this.#times.size, rows: rows.map(([text, at]) => ({ text, at })) };
  }

  async restore(revocations: readonly StoredRevocation[]): Promise<void> {
    for (const { text, at } of revocations) this.#times.set(text, at);
  }

  #expire(now: number): void {
    for (const [text, at] of this.#times) {
      if (at >= now - REVOCATION_LIFE_MS) break;
      this.#times.delete(text);
    }
  }
}

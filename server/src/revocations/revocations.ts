import { MAX_REVOCATIONS, REVOCATION_LIFE_MS } from "@bellwire/emitter/commands";
import { within } from "@bellwire/emitter/time";
import { RevocationIndex } from "./revocation-index.js";
import { parseRevocation, type Holder, type Permit, type Revocation, type Scope, type StoredRevocation } from "./revocation.js";
import { CautiousClock } from "../pacing/remote-clock.js";
import { REVOCATION_PAGE, type RevocationStore } from "../stores/revocations.js";

export interface RevocationsOptions {
  readonly store: RevocationStore;
  /** Milliseconds between two readings where nothing calls for one sooner. */
  readonly every: number;
  /** Told of so many stored texts that are no revocations. */
  readonly onGarbage: (count: number) => void;
  readonly onTrouble: (error: unknown) => void;
}

export const REREAD_MS = 10_000;
// Who asks waits so long at most for a reading; a relay that can't read revocations admits.
const PATIENCE_MS = 3000;
// Twice as many as there may be.
const MAX_PAGES = (2 * MAX_REVOCATIONS) / REVOCATION_PAGE;

/**
 * What is revoked, as this relay knows it. The store decides: the relays are told only that there is something new to read, so a
 * message that is lost costs time, and one that is forged does nothing. What the store loses, the relays put back.
 */
export class Revocations {
  readonly #options: RevocationsOptions;
  readonly #known = new RevocationIndex();
  readonly #clock = new CautiousClock();
  /** The latest time among those known, epoch milliseconds. */
  #newest = 0;
  /** Texts in the store that are no revocations. */
  #unreadable = 0;
  /** Rises whenever something may have been missed. */
  #doubts = 1;
  /** What `#doubts` was when the last complete reading began. */
  #settled = 0;
  #current: Promise<boolean> | undefined;
  #next: Promise<boolean> | undefined;
  #patientUntil = 0;
  #onRevoked: (fresh: RevocationIndex) => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RevocationsOptions) {
    this.#options = options;
  }

  /** @param onRevoked told of what was not known before: open connections and subscriptions are to be checked against it. Must not throw */
  start(onRevoked: (fresh: RevocationIndex) => void): void {
    this.#onRevoked = onRevoked;
    this.#patientUntil = Date.now() + PATIENCE_MS;
    this.#options.store.start(
      () => this.doubt(),
      () => this.#look(),
    );
    this.#timer = setInterval(() => {
      if (this.#options.store.reachable) this.#look();
    }, this.#options.every);
    this.#timer.unref();
    this.#look();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Revocations in force. */
  get size(): number {
    return this.#known.size;
  }

  /** The time by the clock that revocations are dated by, epoch seconds. */
  get now(): number {
    return this.#clock.now;
  }

  /** @param scope of a subscription; undefined for a connection */
  refuses(holder: Holder, permit: Permit, scope?: Scope): boolean {
    return this.#known.refuses(holder, permit, scope);
  }

  /** Something may have been missed: `current` reads first. */
  doubt(): void {
    this.#doubts++;
  }

  /**
   * Resolves once everything stored before the call is known, as far as that can be: at once where nothing was missed, or while
   * the store is out of reach. Never rejects.
   */
  async current(): Promise<void> {
    for (let round = 0; round < 2 && this.#settled !== this.#doubts; round++) {
      // Just started, the connection is only on its way.
      if (!this.#options.store.reachable && Date.now() > this.#patientUntil) return;
      await within(this.#current ?? this.reread(), PATIENCE_MS, "Reading the revocations").catch(() => undefined);
    }
  }

  #look(): void {
    this.reread().catch(() => undefined); // it never rejects
  }

  /** Reads what is new, after a reading that is under way. Calls that wait for the same reading share it. Never rejects; true where it worked. */
  reread(): Promise<boolean> {
    this.#next ??= (this.#current ?? Promise.resolve(true)).then(() => {
      this.#next = undefined;
      const reading = this.#read().finally(() => {
        if (this.#current === reading) this.#current = undefined;
      });
      this.#current = reading;
      return reading;
    });
    return this.#next;
  }

  async #read(): Promise<boolean> {
    const doubts = this.#doubts;
    try {
      const asked = Date.now();
      const page = await this.#options.store.read(this.#newest, 0);
      this.#clock.heard(page.now, asked, Date.now());
      this.#take(page.rows, page.now);
      // What came in out of order, or has gone, shows in the number.
      const differs = (): boolean => page.count !== this.#known.size + this.#unreadable;
      if (differs()) this.#forgetBefore(page.now - REVOCATION_LIFE_MS);
      if (differs() || page.rows.length === REVOCATION_PAGE) await this.#readAll();
      this.#settled = doubts;
      return true;
    } catch (error) {
      this.#options.onTrouble(error);
      return false;
    }
  }

  async #readAll(): Promise<void> {
    const { store, onGarbage } = this.#options;
    const stored = new Set<string>();
    const before = this.#unreadable;
    let unreadable = 0;
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const { rows, now } = await store.read(0, pages * REVOCATION_PAGE);
      unreadable += this.#take(rows, now);
      for (const { text } of rows) stored.add(text);
      if (rows.length < REVOCATION_PAGE) break;
    }
    this.#unreadable = unreadable;
    if (unreadable > before) onGarbage(unreadable - before);
    const lost = [...this.#known].filter(({ text }) => !stored.has(text));
    // A Redis without its data again must not admit what was refused: whoever still knows it says so.
    if (lost.length > 0) await store.restore(lost);
  }

  /** Takes in what was read, and returns how many were no revocations. */
  #take(rows: readonly StoredRevocation[], now: number): number {
    const fresh = new RevocationIndex();
    let unreadable = 0;
    for (const row of rows) {
      const known = this.#known.get(row.text);
      const revocation = known ?? parseRevocation(row);
      if (revocation === undefined) unreadable++;
      else if (known === undefined || row.at > known.at) {
        revocation.at = row.at;
        if (known === undefined) this.#known.add(revocation);
        fresh.add(revocation);
        // A time that lies ahead would hide what comes until then.
        this.#newest = Math.max(this.#newest, Math.min(row.at, now));
      }
    }
    if (fresh.size > 0) this.#onRevoked(fresh);
    return unreadable;
  }

  #forgetBefore(time: number): void {
    const old = (revocation: Revocation): boolean => revocation.at < time;
    for (const revocation of [...this.#known].filter(old)) this.#known.delete(revocation);
  }
}

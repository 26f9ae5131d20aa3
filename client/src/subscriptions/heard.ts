import type { Position } from "@bellwire/protocol";

const MOST_KEYS = 1000;
const MOST_SEATS = 50;

/** What one that left had heard. */
export interface Seat {
  /** Up to where; null: it was owed a resync. */
  readonly position: Position | null;
  /** Epoch milliseconds: it left out what is older than that. */
  readonly from: number;
}

/**
 * What this page has heard, by topic and filter: each subscriber that leaves frees its seat, and the next one goes on from there, so
 * that mounting anew tells nothing twice and loses nothing. One that comes beside those still there finds no seat: it is new.
 * Positions only, and bounded: the topics unused for longest are forgotten first, and replayed as to a new page.
 */
export class Heard {
  readonly #seats = new Map<string, Seat[]>();

  free(key: string, seat: Seat): void {
    const seats = this.#seats.get(key) ?? [];
    seats.push(seat);
    this.#seats.delete(key);
    this.#seats.set(key, seats.slice(-MOST_SEATS));
    if (this.#seats.size > MOST_KEYS) this.#seats.delete(this.#seats.keys().next().value as string);
  }

  /** The seat freed last whose holder had heard all that is younger than `from`. */
  take(key: string, from: number): Seat | undefined {
    const seats = this.#seats.get(key) ?? [];
    const at = seats.findLastIndex((seat) => seat.from <= from);
    if (at < 0) return undefined;
    const [seat] = seats.splice(at, 1);
    if (seats.length === 0) this.#seats.delete(key);
    return seat;
  }

  forget(): void {
    this.#seats.clear();
  }
}

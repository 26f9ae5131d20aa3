import { Departures } from "../pacing/departures.js";
import { KeyedQueue } from "../pacing/keyed-queue.js";
import { fieldOf } from "./registration.js";
import type { Place } from "./notice.js";
import type { NoticeStore } from "../stores/notices.js";

export interface OccupancyOptions {
  readonly store: Pick<NoticeStore, "occupy">;
  /** Milliseconds that a place counts as occupied after its last subscription here ended: a page that is loaded anew is no news. */
  readonly grace: number;
  readonly onTurn: (event: "occupied" | "vacated", place: Place, time: number) => void;
  readonly onTrouble: (error: unknown) => void;
}

interface Occupied {
  readonly place: Place;
  subscriptions: number;
  /** What the store knows; not to be relied on while in doubt. */
  known: boolean;
  doubtful: boolean;
}

const AT_ONCE = 50;
const RETRY_MS = 1000;

/** The places that have subscriptions on this relay, and which of them are the first or the last on all relays. */
export class Occupancy {
  readonly #options: OccupancyOptions;
  readonly #places = new Map<string, Occupied>();
  readonly #departures: Departures<Occupied>;
  readonly #settling: KeyedQueue<Occupied>;
  #closed = false;

  constructor(options: OccupancyOptions) {
    this.#options = options;
    this.#departures = new Departures(options.grace, (occupied) => this.#settleSoon(occupied));
    this.#settling = new KeyedQueue(
      (occupied) => this.#settle(occupied),
      AT_ONCE,
      ({ place }) => place.site,
    );
  }

  get size(): number {
    return this.#places.size;
  }

  made(place: Place): void {
    const key = fieldOf.place(place);
    let occupied = this.#places.get(key);
    if (occupied === undefined) this.#places.set(key, (occupied = { place, subscriptions: 0, known: false, doubtful: false }));
    this.#departures.back(occupied);
    if (++occupied.subscriptions === 1) this.#settleSoon(occupied);
  }

  ended(place: Place): void {
    const occupied = this.#places.get(fieldOf.place(place));
    if (occupied !== undefined && --occupied.subscriptions === 0) this.#departures.leave(occupied);
  }

  /** The store may not know what it was told. */
  doubt(): void {
    for (const occupied of this.#places.values()) {
      occupied.doubtful = true;
      this.#settleSoon(occupied);
    }
  }

  #settleSoon(occupied: Occupied): void {
    if (this.#closed) return;
    this.#settling.add(occupied).catch((error: unknown) => {
      if (this.#closed) return;
      this.#options.onTrouble(error);
      setTimeout(() => this.#settleSoon(occupied), RETRY_MS).unref();
    });
  }

  async #settle(occupied: Occupied): Promise<void> {
    const { place } = occupied;
    for (;;) {
      const has = occupied.subscriptions > 0 || this.#departures.has(occupied);
      if (has === occupied.known && !occupied.doubtful) {
        const key = fieldOf.place(place);
        if (!has && this.#places.get(key) === occupied) this.#places.delete(key);
        return;
      }
      occupied.doubtful = false;
      try {
        const { turned, time } = await this.#options.store.occupy(place, has);
        occupied.known = has;
        if (turned && !this.#closed) this.#options.onTurn(has ? "occupied" : "vacated", place, time);
      } catch (error) {
        occupied.doubtful = true;
        throw error;
      }
    }
  }

  stop(): void {
    this.#closed = true;
    this.#departures.stop();
    this.#settling.clear();
  }
}

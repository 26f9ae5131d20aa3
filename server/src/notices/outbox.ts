import { backoff, within } from "@bellwire/emitter/time";
import type { Metrics } from "../observe/metrics.js";
import { FairQueue } from "../pacing/fair-queue.js";
import type { Notice, NoticeBody } from "./notice.js";
import { fieldOf } from "./registration.js";

/** Milliseconds. */
export interface OutboxTiming {
  /** How long notices are gathered for one body. */
  readonly gather: number;
  /** Before the second attempt; doubled for each further one. */
  readonly retry: number;
  /** Between two attempts at most. */
  readonly patience: number;
  /** After this a body that nobody takes is given up. */
  readonly giveUp: number;
  /** One attempt, whatever `deliver` does. */
  readonly attempt: number;
}

export interface OutboxOptions {
  /** Hands a body over; rejects where that was not taken. */
  readonly deliver: (body: NoticeBody) => Promise<void>;
  /** These are told, or given up. */
  readonly onSettled: (notices: readonly Notice[]) => void;
  readonly onTrouble: (error: unknown) => void;
  /** A notice of this site is lost: `overflow`, too many waited; `refused`, nobody took it for long. Must not throw. */
  readonly onDropped?: ((site: string, why: "overflow" | "refused") => void) | undefined;
  readonly timing?: Partial<OutboxTiming> | undefined;
  readonly metrics?: Metrics | undefined;
}

const TIMING: OutboxTiming = { gather: 200, retry: 500, patience: 30_000, giveUp: 10 * 60_000, attempt: 30_000 };
/** Notices in one body. */
export const MOST_IN_BODY = 100;
/** Notices that wait at most; then the site that has most of them loses its oldest. */
export const MOST_WAITING = 50_000;

/** A place in the queue. What waits there may be replaced by what is newer of the same topic. */
interface Place {
  notice: Notice;
}

/**
 * Hands notices over, many at a time, each body until it is taken; while one is not, the others wait. Sites have their turns in
 * each body, so that one with thousands does not hold up another; what is said of one connection or topic keeps its order.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #timing: OutboxTiming;
  readonly #queue = new FairQueue<Place>();
  /** What waits or is being sent, by id. */
  readonly #known = new Map<string, Place>();
  /** What waits of topics, by topic and filter: the newest alone is worth telling. */
  readonly #places = new Map<string, Place>();
  /** What is being sent. */
  #body: Place[] = [];
  /** Notices that were dropped because too many waited, or given up because nobody took them. */
  dropped = 0;
  told = 0;
  /** Notices that were not told since something newer was known of the same topic before their turn came. */
  coalesced = 0;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #failures = 0;
  /** When the body was tried for the first time; undefined where it was not. */
  #tryingSince: number | undefined;
  #closed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    const { metrics } = options;
    metrics?.gauge("notices_waiting", "Notices that wait to be told", () => this.waiting);
    metrics?.counter("notices_told", "Notices that the backend took", () => this.told);
    metrics?.counter("notices_dropped", "Notices given up, or dropped because too many waited", () => this.dropped);
    metrics?.counter("notices_coalesced", "Notices not told since something newer was known of the same topic", () => this.coalesced);
  }

  get waiting(): number {
    return this.#known.size;
  }

  /** The same id twice is told once, as long as it waits. */
  add(notice: Notice): void {
    if (this.#closed || this.#known.has(notice.id)) return;
    const key = placeOf(notice);
    const older = key === undefined ? undefined : this.#places.get(key);
    if (older === undefined) this.#enqueue(notice, key);
    else this.#replace(older, notice);
    if (this.#known.size >= MOST_IN_BODY && this.#failures === 0) this.#soon(0);
    else this.#soon(this.#timing.gather);
  }

  #enqueue(notice: Notice, key: string | undefined): void {
    const place = { notice };
    const lane = [notice.site, key === undefined ? "connections" : "topics"];
    const most = [MOST_WAITING - this.#body.length];
    this.#known.set(notice.id, place);
    if (key !== undefined) this.#places.set(key, place);
    let out = this.#queue.add(lane, place, most);
    if (out === place) {
      // Of one's own, the newest is worth most.
      out = this.#queue.first(lane) ?? place;
      if (this.#queue.delete(out)) this.#queue.add(lane, place);
    }
    if (out === undefined) return;
    this.dropped++;
    this.#forget(out);
    this.#options.onDropped?.(out.notice.site, "overflow");
    this.#options.onSettled([out.notice]);
  }

  #replace(place: Place, notice: Notice): void {
    const older = place.notice;
    this.coalesced++;
    // What another relay has left may be older than what waits here.
    if (notice.time < older.time) return this.#options.onSettled([notice]);
    this.#known.delete(older.id);
    this.#known.set(notice.id, place);
    place.notice = notice;
    this.#options.onSettled([older]);
  }

  #forget(place: Place): void {
    const { notice } = place;
    this.#known.delete(notice.id);
    const key = placeOf(notice);
    if (key !== undefined && this.#places.get(key) === place) this.#places.delete(key);
  }

  /** All that wait, and what is being sent. */
  *notices(): Iterable<Notice> {
    for (const { notice } of this.#known.values()) yield notice;
  }

  #soon(ms: number): void {
    if (this.#sending !== undefined) return;
    if (this.#timer !== undefined) {
      if (ms > 0) return;
      clearTimeout(this.#timer);
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#send(); // never rejects
    }, ms);
    this.#timer.unref();
  }

  #send(): Promise<void> {
    this.#sending ??= this.#sendBody().finally(() => {
      this.#sending = undefined;
      if (this.#known.size === 0 || this.#closed) return;
      const { retry, patience, gather } = this.#timing;
      const pause = backoff(Math.max(1, this.#failures), { least: retry, most: patience });
      this.#soon(this.#failures > 0 ? pause : this.#known.size >= MOST_IN_BODY ? 0 : gather);
    });
    return this.#sending;
  }

  /** The body that was not taken, or a new one. What is in it is not replaced any more: it may have been taken although nobody said so. */
  #fill(): readonly Place[] {
    if (this.#body.length > 0) return this.#body;
    while (this.#body.length < MOST_IN_BODY) {
      const place = this.#queue.next();
      if (place === undefined) break;
      this.#queue.ended(place);
      this.#body.push(place);
      const key = placeOf(place.notice);
      if (key !== undefined) this.#places.delete(key);
    }
    return this.#body;
  }

  async #sendBody(): Promise<void> {
    const events = this.#fill().map(({ notice }) => notice);
    if (events.length === 0) return;
    this.#tryingSince ??= performance.now();
    try {
      await within(this.#options.deliver({ v: 1, events }), this.#timing.attempt, "Telling the backend");
      this.told += events.length;
    } catch (error) {
      this.#failures++;
      this.#options.onTrouble(error);
      if (performance.now() - this.#tryingSince < this.#timing.giveUp) return;
      this.dropped += events.length;
      for (const { site } of events) this.#options.onDropped?.(site, "refused");
    }
    this.#failures = 0;
    this.#tryingSince = undefined;
    for (const { id } of events) this.#known.delete(id);
    this.#body = [];
    this.#options.onSettled(events);
  }

  /** Tells what waits, as far as that is taken at the first attempt and within `ms`. What is left is for whoever takes over. */
  async close(ms: number): Promise<void> {
    const end = performance.now() + ms;
    clearTimeout(this.#timer);
    for (let before = Infinity; this.#known.size > 0 && this.#known.size < before && performance.now() < end;) {
      before = this.#known.size;
      await within(this.#send(), Math.max(1, end - performance.now()), "Telling the backend").catch(() => undefined);
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    this.stop();
  }

  /** Ends without a word. */
  stop(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#queue.clear();
    this.#known.clear();
    this.#places.clear();
    this.#body = [];
  }
}

/** The topic and filter that a notice is about; undefined where it is about a connection. */
function placeOf({ site, topic, filter }: Notice): string | undefined {
  return topic === undefined ? undefined : fieldOf.place({ site, topic, filter });
}

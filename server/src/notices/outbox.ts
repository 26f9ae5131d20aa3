import { backoff, within } from "@bellwire/emitter/time";
import type { Metrics } from "../observe/metrics.js";
import type { Notice, NoticeBody } from "./notice.js";

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
  readonly timing?: Partial<OutboxTiming> | undefined;
  readonly metrics?: Metrics | undefined;
}

const TIMING: OutboxTiming = { gather: 200, retry: 500, patience: 30_000, giveUp: 10 * 60_000, attempt: 30_000 };
/** Notices in one body. */
export const MOST_IN_BODY = 100;
/** Notices that wait at most; then the oldest are dropped. */
export const MOST_WAITING = 50_000;

/** Hands notices over in their order, many at a time, each body until it is taken; while one is not, the others wait. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #timing: OutboxTiming;
  readonly #waiting = new Map<string, Notice>();
  /** Notices that were dropped because too many waited, or given up because nobody took them. */
  dropped = 0;
  told = 0;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #failures = 0;
  /** When the first of those that wait was tried for the first time; undefined where it was not. */
  #tryingSince: number | undefined;
  #closed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    const { metrics } = options;
    metrics?.gauge("notices_waiting", "Notices that wait to be told", () => this.waiting);
    metrics?.counter("notices_told", "Notices that the backend took", () => this.told);
    metrics?.counter("notices_dropped", "Notices given up, or dropped because too many waited", () => this.dropped);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** The same id twice is told once, as long as it waits. */
  add(notice: Notice): void {
    if (this.#closed || this.#waiting.has(notice.id)) return;
    if (this.#waiting.size >= MOST_WAITING) this.#drop(1);
    this.#waiting.set(notice.id, notice);
    if (this.#waiting.size >= MOST_IN_BODY && this.#failures === 0) this.#soon(0);
    else this.#soon(this.#timing.gather);
  }

  /** All that wait, the oldest first. */
  get notices(): Iterable<Notice> {
    return this.#waiting.values();
  }

  #drop(count: number): void {
    const oldest = this.#oldest(count);
    this.dropped += oldest.length;
    this.#settle(oldest);
  }

  #oldest(most: number): Notice[] {
    const oldest: Notice[] = [];
    for (const notice of this.#waiting.values()) {
      if (oldest.length === most) break;
      oldest.push(notice);
    }
    return oldest;
  }

  #settle(notices: readonly Notice[]): void {
    for (const { id } of notices) this.#waiting.delete(id);
    this.#options.onSettled(notices);
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
    this.#sending ??= this.#sendFirst().finally(() => {
      this.#sending = undefined;
      if (this.#waiting.size === 0 || this.#closed) return;
      const { retry, patience, gather } = this.#timing;
      const pause = backoff(Math.max(1, this.#failures), { least: retry, most: patience });
      this.#soon(this.#failures > 0 ? pause : this.#waiting.size >= MOST_IN_BODY ? 0 : gather);
    });
    return this.#sending;
  }

  async #sendFirst(): Promise<void> {
    const events = this.#oldest(MOST_IN_BODY);
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
    }
    this.#failures = 0;
    this.#tryingSince = undefined;
    this.#settle(events);
  }

  /** Tells what waits, as far as that is taken at the first attempt and within `ms`. What is left is for whoever takes over. */
  async close(ms: number): Promise<void> {
    const end = performance.now() + ms;
    clearTimeout(this.#timer);
    for (let before = Infinity; this.#waiting.size > 0 && this.#waiting.size < before && performance.now() < end;) {
      before = this.#waiting.size;
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
    this.#waiting.clear();
  }
}

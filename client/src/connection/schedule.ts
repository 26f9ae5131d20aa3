import type { ClientError } from "../errors.js";
import type { Backoff } from "./backoff.js";

/** A connection that held this many milliseconds was a good one: the next waits start from the shortest again. */
const STABLE = 10_000;
/** At a wake many pages return together: they spread over this many milliseconds. */
const WAKE_SPREAD = 250;
/** What was begun less than this many milliseconds before a wake may yet come to something. */
const FRESH = 1000;

/** Milliseconds before the first attempt from `off`; twice as long before each further one, up to 16 times that. */
const OFF_DELAY = 15_000;
/** An attempt from `off` is not brought forward to before this part of its wait. */
const OFF_FLOOR = 1 / 15;
/** The same where nobody ever was signed in, in milliseconds. */
const IDLE = 30_000;

/** How long what began then still has after a wake, in milliseconds, before it is begun anew. */
export function grace(begun: number): number {
  return Math.max(0, begun + FRESH - Date.now());
}

/** When the next attempt is due. One timer at a time. */
export class Schedule {
  readonly #backoff: Backoff;
  readonly #random: () => number;
  readonly #run: () => void;
  readonly #offDelay: number;
  #attempts = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = 0;
  #notBefore = 0;
  #upSince: number | undefined;

  constructor(backoff: Backoff, random: () => number, run: () => void, offDelay: number = OFF_DELAY) {
    this.#backoff = backoff;
    this.#random = random;
    this.#run = run;
    this.#offDelay = offDelay;
  }

  /** Waits since the last good connection, or since there was a reason to begin anew. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Runs after `delay` milliseconds, instead of what was due before. */
  in(delay: number): void {
    this.cancel();
    this.#due = Date.now() + delay;
    this.#timer = setTimeout(() => {
      this.cancel();
      this.#run();
    }, delay);
  }

  /** Runs after the backoff's next wait, and not before the error's `after`. */
  later(error: ClientError): void {
    this.#notBefore = Date.now() + (error.after ?? 0);
    this.in(this.#backoff(this.#attempts++, error.after));
  }

  /** Runs at once, the first time; a fleet that does nothing but drain must not be run around in circles. */
  next(): void {
    this.in(this.#attempts++ === 0 ? 0 : this.#backoff(this.#attempts));
  }

  /** Runs after a long wait, since the backend says that nobody is signed in: sooner only where something has happened. */
  seldom(): void {
    const wait = this.#offDelay * 2 ** Math.min(this.#attempts++, 4);
    this.#notBefore = Date.now() + wait * OFF_FLOOR;
    this.in(wait * (1 + this.#random()));
  }

  /** Runs only when something has happened. */
  idle(): void {
    this.cancel();
    this.#notBefore = Date.now() + IDLE;
    this.#due = Infinity;
  }

  /** Brings what is due forward, since the reason to wait may be gone. */
  hurry(): void {
    const delay = Math.max(this.#random() * WAKE_SPREAD, this.#notBefore - Date.now());
    if (Date.now() + delay < this.#due) this.in(delay);
  }

  /** Runs anew what began at `begun` and may hang, since the network or the page is back. To be cancelled when it comes to something. */
  again(begun: number): void {
    this.in(this.#random() * WAKE_SPREAD + grace(begun));
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }

  up(): void {
    this.cancel();
    this.#upSince = Date.now();
  }

  down(): void {
    if (this.#upSince !== undefined && Date.now() - this.#upSince >= STABLE) this.#attempts = 0;
    this.#upSince = undefined;
  }

  reset(): void {
    this.#attempts = 0;
  }
}

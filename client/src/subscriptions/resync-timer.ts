import { backgroundTimeout } from "../timers.js";

/** No relay may put a refetch off for longer, in milliseconds. */
const LONGEST_SPREAD = 600_000;

/** Fires once at a random moment within the spread. A second call before that makes it no later and adds no second one. */
export class ResyncTimer {
  readonly #fire: () => void;
  readonly #random: () => number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = Infinity;

  constructor(fire: () => void, random: () => number) {
    this.#fire = fire;
    this.#random = random;
  }

  /** @param spread milliseconds; 0: now */
  start(spread: number): void {
    const delay = this.#random() * Math.min(spread, LONGEST_SPREAD);
    if (!(delay > 0)) return this.#now();
    const due = Date.now() + delay;
    if (due >= this.#due) return;
    this.stop();
    this.#due = due;
    this.#timer = backgroundTimeout(() => this.#now(), delay);
  }

  get isDue(): boolean {
    return this.#due < Infinity;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#due = Infinity;
  }

  #now(): void {
    this.stop();
    this.#fire();
  }
}

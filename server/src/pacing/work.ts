import { BellwireError } from "@bellwire/protocol";

/** What one connection may cost. A unit is about ten microseconds of the relay's time. */
export interface WorkLimits {
  /** Units a second, in the long run: 2,000 are a fiftieth of a core. */
  readonly perSecond: number;
  /** Units at once. */
  readonly burst: number;
  /** Units that it may owe before it is closed: whoever goes on in spite of `limit` gets there. */
  readonly debt: number;
  /** Frames a second, and at once, whatever they cost. */
  readonly framesPerSecond: number;
  readonly framesAtOnce: number;
}

/**
 * A page that opens 500 components at once, each on a topic of its own that nobody has published to, spends less than half of what it may
 * spend at once, and what it does from then on is less than comes in.
 */
export const WORK: WorkLimits = { perSecond: 2000, burst: 30_000, debt: 10_000, framesPerSecond: 50, framesAtOnce: 200 };

/** What things cost, in units. */
export const COST = {
  /** A packet of any kind, and each KiB of it. */
  packet: 4,
  kibibyte: 1,
  /** An event, known or not. */
  frame: 36,
  /** A subscription asked for: its token or ticket is checked and a new ticket made. */
  item: 5,
  /** A subscription ended. */
  ended: 1,
  room: 1,
  /** A topic that nobody has published to or subscribed yet. */
  topic: 20,
  /** Each further look at the log behind what is in memory. */
  logRead: 50,
  /** Messages looked through, for one unit. */
  messagesLookedAt: 16,
  /** What goes to the backend or to the log. */
  call: 20,
} as const;

/**
 * A token bucket by cost, which may be overdrawn: what something costs is often known only when it is done. Whole numbers, and the bounds
 * come with each call: one is kept for each connection.
 */
export class Work {
  #left: number;
  #frames: number;
  #at: number;

  constructor({ burst, framesAtOnce }: WorkLimits = WORK, now: number = performance.now()) {
    this.#left = burst;
    this.#frames = framesAtOnce * 1000;
    this.#at = Math.floor(now);
  }

  #refill({ perSecond, burst, framesPerSecond, framesAtOnce }: WorkLimits, now: number): void {
    const passed = Math.floor(now) - this.#at;
    const units = Math.floor((passed * perSecond) / 1000);
    if (units <= 0) return;
    this.#at += passed;
    this.#left = Math.min(burst, this.#left + units);
    this.#frames = Math.min(framesAtOnce * 1000, this.#frames + passed * framesPerSecond);
  }

  /** Takes what something costs, whether it is there or not. True where too much is owed by now. */
  spend(units: number, limits: WorkLimits = WORK, now: number = performance.now()): boolean {
    this.#refill(limits, now);
    this.#left = Math.max(-limits.debt, this.#left - Math.ceil(units));
    return this.#left <= -limits.debt;
  }

  /** Milliseconds until there is something left to spend; 0 where there is. */
  owed(limits: WorkLimits = WORK, now: number = performance.now()): number {
    this.#refill(limits, now);
    return this.#left > 0 ? 0 : Math.ceil(((1 - this.#left) / limits.perSecond) * 1000);
  }

  /** Takes one frame; returns 0, or the milliseconds until one is free. */
  takeFrame(limits: WorkLimits = WORK, now: number = performance.now()): number {
    this.#refill(limits, now);
    if (this.#frames < 1000) return Math.ceil((1000 - this.#frames) / limits.framesPerSecond);
    this.#frames -= 1000;
    return 0;
  }
}

/** @param after milliseconds until there is something left to spend */
export function tooMuch(after: number): BellwireError {
  return new BellwireError("limit", "The connection asks for more than its share of the relay's time: ask for less, or later", { after });
}

/** Takes what something costs. @throws BellwireError `limit` where nothing is left */
export function requireWork(work: Work, units: number): void {
  const owed = work.owed();
  work.spend(units);
  if (owed > 0) throw tooMuch(owed);
}

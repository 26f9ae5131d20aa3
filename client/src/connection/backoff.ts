import type { ReconnectOptions } from "../options.js";

const DELAYS: readonly number[] = [1000, 2000, 4000, 8000, 16_000, 30_000];

/** No relay may silence a client for longer, in milliseconds. */
const LONGEST_AFTER = 600_000;

/**
 * How long to wait, in milliseconds, before attempt number `attempt` (from 0): anything from nothing to the step's bound.
 * Full jitter at every step, the last included, or all clients of a relay that died would return together.
 * `after`, where the relay asked for it, is waited first.
 */
export type Backoff = (attempt: number, after?: number) => number;

export function createBackoff(options: ReconnectOptions = {}): Backoff {
  const delays = options.delays === undefined || options.delays.length === 0 ? DELAYS : options.delays;
  const random = options.random ?? Math.random;
  return (attempt, after = 0) => Math.min(after, LONGEST_AFTER) + random() * (delays[Math.min(attempt, delays.length - 1)] as number);
}

import { BellwireError } from "@bellwire/protocol";
import type { Connection } from "../connection/connection.js";

/** Milliseconds unless named otherwise. */
export interface DrainTiming {
  /** How long new connections are still taken, while balancers notice that the relay is not ready. */
  readonly accept: number;
  /** Over how long clients are sent away after that, at most. */
  readonly spread: number;
  /** Clients sent away per second where that takes less than `spread`. */
  readonly rate: number;
}

export const DRAIN: DrainTiming = { accept: 5000, spread: 20_000, rate: 100 };

const STEP_MS = 100;
// A client that was told to come back elsewhere has this long to do so by itself.
const GRACE_MS = 1000;

/** When each of `count` clients should leave: evenly over the drain, in milliseconds from its start. Pure. */
export function departures(count: number, timing: DrainTiming): number[] {
  const spread = Math.min(timing.spread, (count / timing.rate) * 1000);
  return Array.from({ length: count }, (_, i) => Math.round(timing.accept + (spread * (i + 1)) / count));
}

/**
 * Sends the clients of a relay away without a stampede: each is told its own moment to reconnect, and closed in small steps
 * where it stays. Any Socket.IO client comes back by itself; the relay's readiness has sent the balancer elsewhere by then.
 */
export class Drain {
  readonly #connections: ReadonlySet<Connection>;
  readonly #timing: DrainTiming;
  readonly #leaving = new Map<Connection, number>();
  readonly #begun: number = performance.now();
  #last = 0;

  constructor(connections: ReadonlySet<Connection>, timing: DrainTiming = DRAIN) {
    this.#connections = connections;
    this.#timing = timing;
    this.#last = timing.accept;
    const all = shuffled([...connections]);
    departures(all.length, timing).forEach((at, i) => this.#tell(all[i] as Connection, at));
  }

  /** True while new connections are still taken. */
  get accepting(): boolean {
    return performance.now() - this.#begun < this.#timing.accept;
  }

  /** A client that came while the balancer had not noticed yet: it leaves after the others. */
  add(connection: Connection): void {
    this.#tell(connection, this.#last + 1000 / this.#timing.rate);
  }

  #tell(connection: Connection, at: number): void {
    this.#last = Math.max(this.#last, at);
    this.#leaving.set(connection, at);
    connection.tell("draining", { reconnectIn: Math.max(0, Math.round(at - (performance.now() - this.#begun))) });
  }

  /** Resolves when the last client has gone, or was closed. */
  run(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        const now = performance.now() - this.#begun;
        for (const [connection, at] of this.#leaving) {
          if (!this.#connections.has(connection)) this.#leaving.delete(connection);
          else if (now >= at + GRACE_MS) {
            this.#leaving.delete(connection);
            connection.bye(new BellwireError("draining", "The relay is going away: connect to another one"));
          }
        }
        if (this.accepting || this.#connections.size > 0) return;
        clearInterval(timer);
        resolve();
      }, STEP_MS);
    });
  }
}

/** In random order: the oldest connections are not the first to go. */
function shuffled<T>(items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
  return items;
}

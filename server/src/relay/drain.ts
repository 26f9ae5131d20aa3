import { BellwireError } from "@bellwire/protocol";
import type { Connection } from "../connection/connection.js";
import type { ConnectionObserver } from "../connection/observers.js";

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
export function momentsToLeave(count: number, timing: DrainTiming): number[] {
  const spread = Math.min(timing.spread, (count / timing.rate) * 1000);
  return Array.from({ length: count }, (_, i) => Math.round(timing.accept + (spread * (i + 1)) / count));
}

/** A drain under way. */
interface Round {
  readonly timing: DrainTiming;
  readonly begun: number;
  /** When each is to leave, milliseconds from the beginning. */
  readonly leaving: Map<Connection, number>;
  /** The latest of them. */
  last: number;
}

/**
 * Sends the clients of a relay away without a stampede: each is told its own moment to reconnect, and closed in small steps
 * where it stays. Any Socket.IO client comes back by itself; the relay's readiness has sent the balancer elsewhere by then.
 * Until it is begun it does nothing.
 */
export class Drain implements ConnectionObserver {
  readonly #connections: ReadonlySet<Connection>;
  readonly #farewell: BellwireError = new BellwireError("draining", "The relay is going away: connect to another one");
  #round: Round | undefined;
  #refuses = false;

  constructor(connections: ReadonlySet<Connection>) {
    this.#connections = connections;
  }

  /** Whether the relay is going away, although it may still take newcomers in. */
  get begun(): boolean {
    return this.#round !== undefined || this.#refuses;
  }

  /** Why nobody new is taken in; undefined while newcomers are. */
  get refusal(): BellwireError | undefined {
    const round = this.#round;
    const over = round !== undefined && performance.now() - round.begun >= round.timing.accept;
    return over || this.#refuses ? this.#farewell : undefined;
  }

  /** Takes nobody in from now on. */
  refuseNewcomers(): void {
    this.#refuses = true;
  }

  /** A client that came while the balancer had not noticed yet: it leaves after the others. */
  opened(connection: Connection): void {
    if (this.#round !== undefined) this.#tell(this.#round, connection, this.#round.last + 1000 / this.#round.timing.rate);
  }

  gone(connection: Connection): void {
    this.#round?.leaving.delete(connection);
  }

  #tell(round: Round, connection: Connection, at: number): void {
    round.last = Math.max(round.last, at);
    round.leaving.set(connection, at);
    connection.tell("draining", { reconnectIn: Math.max(0, Math.round(at - (performance.now() - round.begun))) });
  }

  /** Sends all away; a second call begins anew. Resolves when the last client has gone, or was closed. */
  run(timing: DrainTiming): Promise<void> {
    const round: Round = { timing, begun: performance.now(), leaving: new Map(), last: timing.accept };
    this.#round = round;
    const all = shuffled([...this.#connections]);
    momentsToLeave(all.length, timing).forEach((at, i) => this.#tell(round, all[i] as Connection, at));
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        this.#close(round);
        if (this.refusal === undefined || this.#connections.size > 0) return;
        clearInterval(timer);
        resolve();
      }, STEP_MS);
    });
  }

  /** Closes those that should have left. */
  #close({ leaving, begun }: Round): void {
    const now = performance.now() - begun;
    for (const [connection, at] of leaving) {
      if (now < at + GRACE_MS) continue;
      leaving.delete(connection);
      if (this.#connections.has(connection)) connection.bye(this.#farewell);
    }
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

import { FairQueue } from "./fair-queue.js";

interface Kind {
  /** Tasks of this kind that run at once. */
  readonly most: number;
  readonly queue: FairQueue<Turn>;
}

interface Turn {
  readonly start: () => void;
}

/**
 * Lets so many tasks run at a time. Those that wait are taken by turns of whom they are for, so that nobody with a thousand tasks
 * keeps one with a single task waiting; of one and the same in their order. Long ones start only while no short one waits.
 */
export class FairTurns {
  readonly #short: Kind;
  readonly #long: Kind;

  constructor(most: { readonly short: number; readonly long: number }) {
    this.#short = { most: most.short, queue: new FairQueue() };
    this.#long = { most: most.long, queue: new FairQueue() };
  }

  /** Runs a task in its turn. Rejects as the task does. */
  async take<T>(length: "short" | "long", whom: string, task: () => Promise<T>): Promise<T> {
    const { queue } = length === "short" ? this.#short : this.#long;
    const turn = await new Promise<Turn>((resolve) => {
      const own: Turn = { start: () => resolve(own) };
      queue.add([whom], own);
      this.#start();
    });
    try {
      return await task();
    } finally {
      queue.ended(turn);
      this.#start();
    }
  }

  /** Tasks that wait for their turn. */
  get waiting(): number {
    return this.#short.queue.size + this.#long.queue.size;
  }

  #start(): void {
    while (startOne(this.#short));
    if (this.#short.queue.size > 0) return;
    while (startOne(this.#long));
  }
}

function startOne({ queue, most }: Kind): boolean {
  const turn = queue.next([most]);
  turn?.start();
  return turn !== undefined;
}

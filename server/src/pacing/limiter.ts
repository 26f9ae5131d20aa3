/** Too many wait already. */
export class QueueFull extends Error {}

/** Lets so many tasks run at a time, and so many wait for their turn, first come first served. */
export class Limiter {
  readonly #most: number;
  readonly #queue: number;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(most: number, queue: number) {
    this.#most = most;
    this.#queue = queue;
  }

  /**
   * Runs a task in its turn. A task whose signal is aborted before that never runs.
   * @throws QueueFull; the signal's reason; what the task throws
   */
  async run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#running >= this.#most) await this.#turn(signal);
    else this.#running++;
    try {
      return await task();
    } finally {
      this.#next();
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#queue) throw new QueueFull();
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(start);
        reject(signal.reason as Error);
      };
      const start = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      this.#waiting.add(start);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  /** Hands the place of a task that has ended to the one that waits longest. */
  #next(): void {
    const [start] = this.#waiting;
    if (start === undefined) {
      this.#running--;
      return;
    }
    this.#waiting.delete(start);
    start();
  }
}

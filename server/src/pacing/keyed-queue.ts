import { BellwireError } from "@bellwire/protocol";

interface Waiting {
  readonly run: Promise<void>;
  readonly begin: () => Promise<void>;
  readonly refuse: (error: BellwireError) => void;
}

/** Work for each of many things, at most one at a time for the same thing and so many at once in all. Asked for twice before it began, it is done once. */
export class KeyedQueue<T> {
  readonly #work: (item: T) => Promise<void>;
  readonly #most: number;
  readonly #waiting = new Map<T, Waiting>();
  readonly #running = new Set<T>();

  constructor(work: (item: T) => Promise<void>, most: number) {
    this.#work = work;
    this.#most = most;
  }

  /** Settles as a run of the work does that begins after this call. */
  add(item: T): Promise<void> {
    const waiting = this.#waiting.get(item);
    if (waiting !== undefined) return waiting.run;
    let begin: Waiting["begin"] = () => Promise.resolve();
    let refuse: Waiting["refuse"] = () => undefined;
    const run = new Promise<void>((resolve, reject) => {
      begin = () => this.#work(item).then(resolve, reject);
      refuse = reject;
    });
    run.catch(() => undefined); // who does not care need not say so
    this.#waiting.set(item, { run, begin, refuse });
    this.#next();
    return run;
  }

  #next(): void {
    for (const [item, { begin }] of this.#waiting) {
      if (this.#running.size >= this.#most) return;
      if (this.#running.has(item)) continue;
      this.#waiting.delete(item);
      this.#running.add(item);
      void begin().then(() => {
        this.#running.delete(item);
        if (this.#waiting.size > 0) this.#next();
      });
    }
  }

  /** Refuses what has not begun. */
  clear(): void {
    for (const { refuse } of this.#waiting.values()) refuse(new BellwireError("unavailable", "The relay is closed"));
    this.#waiting.clear();
  }
}

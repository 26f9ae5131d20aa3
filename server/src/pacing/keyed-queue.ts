import { BellwireError } from "@bellwire/protocol";
import { FairQueue } from "./fair-queue.js";

interface Waiting<T> {
  readonly item: T;
  readonly run: Promise<void>;
  readonly begin: () => Promise<void>;
  readonly refuse: (error: BellwireError) => void;
}

/**
 * Work for each of many things, at most one at a time for the same thing and so many at once in all, by turns of whom they are for.
 * Asked for twice before it began, it is done once.
 */
export class KeyedQueue<T> {
  readonly #work: (item: T) => Promise<void>;
  readonly #most: number;
  readonly #whom: (item: T) => string;
  readonly #waiting = new Map<T, Waiting<T>>();
  /** Those of them that may begin: the others wait for a run of the same thing. */
  readonly #queue = new FairQueue<Waiting<T>>();
  readonly #running = new Set<T>();

  /** @param whom whom a thing is for; default: the same for all, so that they begin in their order */
  constructor(work: (item: T) => Promise<void>, most: number, whom: (item: T) => string = () => "") {
    this.#work = work;
    this.#most = most;
    this.#whom = whom;
  }

  /** Settles as a run of the work does that begins after this call. */
  add(item: T): Promise<void> {
    const known = this.#waiting.get(item);
    if (known !== undefined) return known.run;
    let begin: Waiting<T>["begin"] = () => Promise.resolve();
    let refuse: Waiting<T>["refuse"] = () => undefined;
    const run = new Promise<void>((resolve, reject) => {
      begin = () => this.#work(item).then(resolve, reject);
      refuse = reject;
    });
    run.catch(() => undefined); // who does not care need not say so
    const waiting = { item, run, begin, refuse };
    this.#waiting.set(item, waiting);
    if (!this.#running.has(item)) this.#enqueue(waiting);
    return run;
  }

  #enqueue(waiting: Waiting<T>): void {
    this.#queue.add([this.#whom(waiting.item)], waiting);
    this.#next();
  }

  #next(): void {
    for (let next = this.#queue.next([this.#most]); next !== undefined; next = this.#queue.next([this.#most])) this.#begin(next);
  }

  #begin(begun: Waiting<T>): void {
    const { item } = begun;
    this.#waiting.delete(item);
    this.#running.add(item);
    void begun.begin().then(() => {
      this.#running.delete(item);
      this.#queue.ended(begun);
      const again = this.#waiting.get(item);
      if (again === undefined) this.#next();
      else this.#enqueue(again);
    });
  }

  /** Refuses what has not begun. */
  clear(): void {
    for (const { refuse } of this.#waiting.values()) refuse(new BellwireError("unavailable", "The relay is closed"));
    this.#waiting.clear();
    this.#queue.clear();
  }
}

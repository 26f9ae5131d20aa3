import { FairQueue, type Lane } from "./fair-queue.js";

/** It never had its turn: `full`, there was no room to wait; `late`, its time was up before. */
export class NoTurn extends Error {
  readonly why: "full" | "late";

  constructor(why: "full" | "late") {
    super(why);
    this.why = why;
  }
}

export interface TurnBounds {
  /** What runs at once, at each level of the lanes: in all, for one name of the first level, and so on. */
  readonly atOnce: readonly number[];
  /** What waits, likewise. */
  readonly waiting: readonly number[];
}

interface Ticket<T> {
  readonly task: Task<T>;
  /** Milliseconds of `performance.now()`. */
  readonly end: number;
  readonly run: (end: number) => Promise<T>;
  readonly resolve: (value: T | PromiseLike<T>) => void;
  readonly reject: (error: unknown) => void;
  timer: NodeJS.Timeout | undefined;
}

/** What is done once for all that wait for it. */
interface Task<T> {
  readonly key: string | undefined;
  readonly tickets: Set<Ticket<T>>;
  result: Promise<T> | undefined;
}

/**
 * Lets so many tasks run at a time, by turns of whom they are for. Identical tasks run once: each waits for its own turn, so that
 * nobody waits in another's line, and the first turn serves them all.
 */
export class SharedTurns<T> {
  readonly #bounds: TurnBounds;
  readonly #queue = new FairQueue<Ticket<T>>();
  readonly #tasks = new Map<string, Task<T>>();

  constructor(bounds: TurnBounds) {
    this.#bounds = bounds;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /**
   * Runs a task in its turn, or waits for an identical one that runs.
   * @param ms milliseconds to the end of the whole, the wait included
   * @param run told when it has to be over, in milliseconds of `performance.now()`
   * @param key equal for identical tasks
   * @throws NoTurn; what the task throws
   */
  take(lane: Lane, ms: number, run: (end: number) => Promise<T>, key?: string): Promise<T> {
    const task = this.#find(key);
    if (task.result !== undefined) return task.result;
    return new Promise<T>((resolve, reject) => {
      const ticket: Ticket<T> = { task, end: performance.now() + ms, run, resolve, reject, timer: undefined };
      ticket.timer = setTimeout(() => this.#leave(ticket, "late"), ms);
      task.tickets.add(ticket);
      const out = this.#queue.add(lane, ticket, this.#bounds.waiting);
      if (out !== undefined) this.#leave(out, "full");
      this.#start();
    });
  }

  #find(key: string | undefined): Task<T> {
    const known = key === undefined ? undefined : this.#tasks.get(key);
    if (known !== undefined) return known;
    const task: Task<T> = { key, tickets: new Set(), result: undefined };
    if (key !== undefined) this.#tasks.set(key, task);
    return task;
  }

  #leave(ticket: Ticket<T>, why: NoTurn["why"]): void {
    const { task } = ticket;
    clearTimeout(ticket.timer);
    this.#queue.delete(ticket);
    task.tickets.delete(ticket);
    if (task.tickets.size === 0) this.#forget(task);
    ticket.reject(new NoTurn(why));
  }

  #forget(task: Task<T>): void {
    if (task.key !== undefined && this.#tasks.get(task.key) === task) this.#tasks.delete(task.key);
  }

  #start(): void {
    for (let ticket = this.#next(); ticket !== undefined; ticket = this.#next()) this.#begin(ticket);
  }

  #next(): Ticket<T> | undefined {
    return this.#queue.next(this.#bounds.atOnce);
  }

  #begin(ticket: Ticket<T>): void {
    const { task } = ticket;
    let { end } = ticket;
    for (const each of task.tickets) {
      clearTimeout(each.timer);
      this.#queue.delete(each);
      end = Math.max(end, each.end);
    }
    const result = ticket.run(end).finally(() => {
      this.#forget(task);
      this.#queue.ended(ticket);
      this.#start();
    });
    task.result = result;
    for (const each of task.tickets) each.resolve(result);
  }
}

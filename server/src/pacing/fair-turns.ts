interface Kind {
  /** Tasks of this kind that run at once. */
  readonly most: number;
  running: number;
  /** Whoever comes first is next. */
  readonly waiting: Map<string, (() => void)[]>;
}

/**
 * Lets so many tasks run at a time. Those that wait are taken by turns of whom they are for, so that nobody with a thousand tasks
 * keeps one with a single task waiting; of one and the same in their order. Long ones start only while no short one waits.
 */
export class FairTurns {
  readonly #short: Kind;
  readonly #long: Kind;

  constructor(most: { readonly short: number; readonly long: number }) {
    this.#short = { most: most.short, running: 0, waiting: new Map() };
    this.#long = { most: most.long, running: 0, waiting: new Map() };
  }

  /** Runs a task in its turn. Rejects as the task does. */
  async take<T>(length: "short" | "long", whom: string, task: () => Promise<T>): Promise<T> {
    const kind = length === "short" ? this.#short : this.#long;
    await new Promise<void>((start) => {
      queue(kind, whom, start);
      this.#start();
    });
    try {
      return await task();
    } finally {
      kind.running--;
      this.#start();
    }
  }

  /** Tasks that wait for their turn. */
  get waiting(): number {
    let tasks = 0;
    for (const { waiting } of [this.#short, this.#long]) for (const queued of waiting.values()) tasks += queued.length;
    return tasks;
  }

  #start(): void {
    while (startOne(this.#short));
    if (this.#short.waiting.size > 0) return;
    while (startOne(this.#long));
  }
}

function queue({ waiting }: Kind, whom: string, start: () => void): void {
  const tasks = waiting.get(whom);
  if (tasks === undefined) waiting.set(whom, [start]);
  else tasks.push(start);
}

function startOne(kind: Kind): boolean {
  const [first] = kind.waiting;
  if (first === undefined || kind.running >= kind.most) return false;
  const [whom, tasks] = first;
  const start = tasks.shift() as () => void;
  kind.waiting.delete(whom);
  if (tasks.length > 0) kind.waiting.set(whom, tasks); // behind the others
  kind.running++;
  start();
  return true;
}

/** Bounds what is under way: so many at a time, and of one key one after the other, in order. */
export class Turns {
  readonly #most: number;
  readonly #waiting: { readonly key: string; readonly begin: () => void }[] = [];
  readonly #busy = new Set<string>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Does the work when its turn has come, and settles as it does. */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      this.#waiting.push({ key, begin: resolve });
      this.#next();
    });
    try {
      return await work();
    } finally {
      this.#busy.delete(key);
      this.#next();
    }
  }

  #next(): void {
    while (this.#busy.size < this.#most) {
      const at = this.#waiting.findIndex(({ key }) => !this.#busy.has(key));
      const [turn] = at < 0 ? [] : this.#waiting.splice(at, 1);
      if (turn === undefined) return;
      this.#busy.add(turn.key);
      turn.begin();
    }
  }
}

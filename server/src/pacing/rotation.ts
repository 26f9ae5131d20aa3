/** Walks over a changing collection in even slices, so that everything comes round once in a given number of steps. */
export class Rotation<T> {
  readonly #items: () => Iterable<T>;
  readonly #steps: number;
  #queue: T[] = [];
  #size = 0;
  #step = 0;

  constructor(items: () => Iterable<T>, steps: number) {
    this.#items = items;
    this.#steps = Math.max(1, Math.floor(steps));
  }

  /** The items whose turn it is. One that has left the collection since the round began may still come up. */
  next(): T[] {
    if (this.#step === 0) {
      this.#queue = [...this.#items()];
      this.#size = this.#queue.length;
    }
    const from = Math.floor((this.#size * this.#step) / this.#steps);
    const to = Math.floor((this.#size * (this.#step + 1)) / this.#steps);
    this.#step = (this.#step + 1) % this.#steps;
    return this.#queue.slice(from, to);
  }
}

/** What one turn of the event loop may take of this work, milliseconds. Other work of the turn comes on top. */
const SLICE_MS = 5;

/**
 * Work that may come in any amount, done in slices: so much in a turn of the event loop, the rest in later ones. Those that wait are
 * taken by turns of whom they are for, of one and the same in their order.
 */
export class Slices {
  readonly #slice: number;
  readonly #waiting = new Map<object, (() => void)[]>();
  #spent = 0;
  #due = false;

  constructor(slice: number = SLICE_MS) {
    this.#slice = slice;
  }

  /**
   * Does a piece of work, at once where this turn has room for it. Settles as the work does; a promise that it returns is not waited for
   * by others.
   * @param whom for whom, by identity
   */
  run<T>(whom: object, work: () => T | Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const piece = (): void => {
        const begun = performance.now();
        try {
          resolve(work());
        } catch (error) {
          reject(error as Error);
        }
        this.#spent += performance.now() - begun;
      };
      if (this.#waiting.size === 0 && this.#spent < this.#slice) piece();
      else this.#queue(whom, piece);
      this.#schedule();
    });
  }

  #queue(whom: object, piece: () => void): void {
    const pieces = this.#waiting.get(whom);
    if (pieces === undefined) this.#waiting.set(whom, [piece]);
    else pieces.push(piece);
  }

  #schedule(): void {
    if (this.#due) return;
    this.#due = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#due = false;
    this.#spent = 0;
    for (const [whom, pieces] of this.#waiting) {
      if (this.#spent >= this.#slice) break;
      this.#waiting.delete(whom);
      const left = pieces.values();
      // One of each at a time would cost a map's entry for each piece: as many as a tenth of the slice takes.
      const until = this.#spent + this.#slice / 10;
      for (const piece of left) {
        piece();
        if (this.#spent >= until) break;
      }
      const rest = [...left];
      if (rest.length > 0) this.#waiting.set(whom, rest); // behind the others
    }
    if (this.#waiting.size > 0) this.#schedule();
  }
}

/** Items that one turn takes of what comes in thousands. */
export const ITEMS_A_TURN = 250;

/** Does something for each of many items, some in each turn of the event loop. */
export async function eachInTurns<T>(items: readonly T[], work: (item: T) => void): Promise<void> {
  for (let i = 0; i < items.length; i++) {
    if (i > 0 && i % ITEMS_A_TURN === 0) await nextTurn();
    work(items[i] as T);
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

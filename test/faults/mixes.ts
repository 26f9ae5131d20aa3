import type { Fault, StoreKind } from "./faults/fault.js";
import type { Random } from "./random.js";

export interface Mix {
  readonly store: StoreKind;
  readonly faults: readonly Fault[];
}

/** Can this happen to that Redis? */
export function fits(fault: Fault, store: StoreKind): boolean {
  if (fault.store === "any" || fault.store === store) return true;
  return fault.store === "single" && (store === "plain" || store === "append-only");
}

/** Seeds of rounds, such that every fault has its turn as the first of a mix before one has a second. */
export class Deck {
  readonly #random: Random;
  readonly #size: number;
  #turns: number[] = [];

  /** @param size how many faults there are */
  constructor(random: Random, size: number) {
    this.#random = random;
    this.#size = size;
  }

  /** The next round's seed. Which fault comes first is its remainder, so that the seed alone repeats the round. */
  next(): number {
    if (this.#turns.length === 0) {
      const all = Array.from({ length: this.#size }, (_, i) => i);
      this.#turns = this.#random.some(all, this.#size);
    }
    const seed = this.#random.fork().seed;
    return seed - (seed % this.#size) + (this.#turns.pop() as number);
  }
}

/** Some faults that can happen in one world. */
export function drawMix(random: Random, count: number, all: readonly Fault[], stores: readonly StoreKind[]): Mix {
  const first = all[random.seed % all.length] as Fault;
  const store = random.pick(stores.filter((kind) => fits(first, kind)));
  const others = all.filter((fault) => fault !== first && fits(fault, store));
  return { store, faults: random.some([first, ...random.some(others, count - 1)], count) };
}

/** The lanes of a mix: what breaks the same thing happens one after another, the rest at any time. */
export function lanesOf(faults: readonly Fault[]): Fault[][] {
  const lanes = new Map<string, Fault[]>();
  for (const fault of faults) {
    const lane = lanes.get(fault.breaks);
    if (lane === undefined) lanes.set(fault.breaks, [fault]);
    else lane.push(fault);
  }
  return [...lanes.values()];
}

import { microseconds } from "../measure/clock.js";
import { Scanner } from "./scan.js";

/** What all clients together have counted. */
export class Counts {
  received = 0;
  frames = 0;
  repeated = 0;
  missed = 0;
  readonly scanner: Scanner = new Scanner();
  /** Microseconds from publishing to arrival, raw; undefined while nothing is sampled. */
  latencies: number[] | undefined;
}

/** One client's count. It knows which number comes next, so that a gap or a repetition shows at once. */
export class Tally {
  readonly #counts: Counts;
  readonly #step: number;
  readonly #sampled: boolean;
  #next: number;

  constructor(counts: Counts, expect: { readonly first: number; readonly step: number } | undefined, sampled: boolean) {
    this.#counts = counts;
    this.#next = expect?.first ?? -1;
    this.#step = expect?.step ?? 0;
    this.#sampled = sampled;
  }

  /** Counts the messages of one frame. */
  take(bytes: Buffer, start: number, end: number): void {
    const counts = this.#counts;
    const sampling = this.#sampled && counts.latencies !== undefined;
    const { numbers, times } = counts.scanner.scan(bytes, start, end, sampling);
    if (numbers.length === 0) return;
    counts.frames++;
    counts.received += numbers.length;
    if (this.#step > 0) this.#check(numbers);
    if (!sampling) return;
    const now = microseconds();
    for (const time of times) counts.latencies?.push(now - time);
  }

  #check(numbers: readonly number[]): void {
    const counts = this.#counts;
    for (const number of numbers) {
      if (number < this.#next) {
        counts.repeated++;
        continue;
      }
      counts.missed += (number - this.#next) / this.#step;
      this.#next = number + this.#step;
    }
  }
}

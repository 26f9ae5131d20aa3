import { latencyOf, median, spreadOf, type Latency, type Spread } from "./statistics.js";

export type Figures = Readonly<Record<string, number>>;

/** What was measured: figures by variant and round, and raw latencies by variant. */
export class Samples {
  readonly #figures = new Map<string, Figures[]>();
  readonly #latencies = new Map<string, number[]>();

  add(variant: string, figures: Figures, latencies: ArrayLike<number> = []): void {
    this.#figures.set(variant, [...this.#all(variant), figures]);
    const merged = this.#latencies.get(variant) ?? [];
    for (let i = 0; i < latencies.length; i++) merged.push(latencies[i] as number);
    this.#latencies.set(variant, merged);
  }

  get variants(): string[] {
    return [...this.#figures.keys()];
  }

  get rounds(): number {
    return Math.max(0, ...[...this.#figures.values()].map((figures) => figures.length));
  }

  has(variant: string): boolean {
    return this.#figures.has(variant);
  }

  #all(variant: string): readonly Figures[] {
    return this.#figures.get(variant) ?? [];
  }

  values(variant: string, metric: string): number[] {
    return this.#all(variant).map((figures) => figures[metric] ?? Number.NaN);
  }

  median(variant: string, metric: string): number {
    return median(this.values(variant, metric));
  }

  spread(variant: string, metric: string): Spread {
    return spreadOf(this.values(variant, metric));
  }

  /** The median over the rounds of `a / b`, each taken within one round: what slows a round slows both. */
  ratio(metric: string, a: string, b: string): number {
    const below = this.values(b, metric);
    return median(this.values(a, metric).map((value, round) => value / (below[round] as number)));
  }

  /** Of the raw samples of all rounds. */
  latency(variant: string): Latency {
    return latencyOf(this.#latencies.get(variant) ?? []);
  }
}

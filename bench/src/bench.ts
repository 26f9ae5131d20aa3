import type { Peer, PeerName } from "./peers/peer.js";
import type { Outcome } from "./results/outcome.js";
import { Samples, type Figures } from "./samples.js";

export interface Measured {
  readonly figures: Figures;
  /** Microseconds, raw. */
  readonly latencies?: ArrayLike<number>;
}

export interface BenchOptions {
  /** A short run that shows whether everything works; its figures mean little. */
  readonly quick: boolean;
  readonly rounds: number;
  readonly peers: readonly Peer[];
  readonly profiles: string | undefined;
}

/** A scenario of the bench, measured side by side with peers where that says something. */
export interface Scenario {
  readonly name: string;
  run(bench: Bench): Promise<Outcome>;
}

export class Bench {
  readonly quick: boolean;
  readonly rounds: number;
  readonly profiles: string | undefined;
  readonly #peers: readonly Peer[];

  constructor(options: BenchOptions) {
    this.quick = options.quick;
    this.rounds = options.rounds;
    this.profiles = options.profiles;
    this.#peers = options.peers;
  }

  /** Those of the named peers that are there. */
  peers(...names: PeerName[]): Peer[] {
    return this.#peers.filter(({ name }) => names.includes(name));
  }

  /** The first in a full run, the second in a quick one. */
  size(full: number, quick: number): number {
    return this.quick ? quick : full;
  }

  /** Measures every variant once a round, and begins each round with another one. */
  async alternate(variants: readonly string[], measure: (variant: string) => Promise<Measured>): Promise<Samples> {
    const samples = new Samples();
    for (let round = 0; round < this.rounds; round++) {
      for (let i = 0; i < variants.length; i++) {
        const variant = variants[(i + round) % variants.length] as string;
        const { figures, latencies } = await measure(variant);
        samples.add(variant, figures, latencies);
        const shown = Object.entries(figures).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`);
        console.log(`  round ${round + 1}, ${variant}: ${shown.join(", ")}`);
      }
    }
    return samples;
  }
}

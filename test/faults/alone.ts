import type { Fault } from "./faults/fault.js";
import { openWorld } from "./open-world.js";
import { Random, seedOf } from "./random.js";
import { playRound, type RoundReport } from "./round.js";

export interface AloneOptions {
  readonly seed: number;
  readonly haproxy: string;
  readonly full?: boolean;
}

/** A world in which this one fault happens. The seed is the run's: each fault makes one of its own from it. */
export async function playAlone(fault: Fault, { seed, haproxy, full = false }: AloneOptions): Promise<RoundReport> {
  const world = await openWorld({ faults: [fault], random: new Random(seedOf(seed, fault.kind)), haproxy });
  try {
    return await playRound(world, { lanes: [[fault]], full });
  } finally {
    await world.close();
  }
}

import type { Outcome } from "./outcome.js";
import type { Surroundings } from "./surroundings.js";

/** A scenario's result as it is kept, so that one scenario can be run again without the others. */
export interface Kept {
  readonly name: string;
  readonly surroundings: Surroundings;
  /** Peers of the bench that were not there, each with the reason. */
  readonly absent: readonly string[];
  readonly outcome: Outcome;
}

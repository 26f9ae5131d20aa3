import { times } from "./numbers.js";
import type { Target } from "./outcome.js";

/** Judges a ratio that should be large. NaN, where the other side was not measured, is not judged. */
export function atLeast(text: string, value: number, bound: number): Target {
  return Number.isNaN(value) ? unjudged(text) : { text, value: times(value), met: value >= bound };
}

/** Judges a ratio that should be small. */
export function atMost(text: string, value: number, bound: number): Target {
  return Number.isNaN(value) ? unjudged(text) : { text, value: times(value), met: value <= bound };
}

function unjudged(text: string): Target {
  return { text, value: "not measured", met: undefined };
}

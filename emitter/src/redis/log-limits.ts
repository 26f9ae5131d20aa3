import { topicMatches } from "@bellwire/protocol";

/** How much a topic's log keeps: whichever bound is reached first. The newest entry always stays. */
export interface LogLimits {
  readonly messages: number;
  /** Milliseconds. */
  readonly age: number;
}

/** How much each log keeps; asked each time. */
export type LogLimitsOf = (site: string, topic: string) => LogLimits;

export const DEFAULT_LOG: LogLimits = { messages: 1000, age: 24 * 3600 * 1000 };

/** Finds a topic's log limits: the first pattern that covers it, else the default. Patterns may end in `*`. */
export function logLimitsOf(topics: readonly (readonly [pattern: string, limits: LogLimits])[], topic: string): LogLimits {
  for (const [pattern, limits] of topics) {
    if (topicMatches(pattern, topic)) return limits;
  }
  return DEFAULT_LOG;
}

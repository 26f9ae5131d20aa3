import { topicMatches } from "@bellwire/protocol";
import { defineTopic } from "@bellwire/emitter";

export type Params = Readonly<Record<string, string>>;

const NO_PARAMS: Params = Object.freeze({});

/**
 * Reads a list of topics: names, prefixes that end in `*`, and patterns like `user.{uuid}`, whose placeholders stand for one
 * or more characters other than the dot.
 * @returns what the first that fits read from the topic; undefined where none does. No list fits all
 * @throws TypeError for a pattern that no topic can fit
 */
export function topicMatcher(patterns: readonly string[] | undefined): (topic: string) => Params | undefined {
  if (patterns === undefined) return () => NO_PARAMS;
  const matchers = patterns.map((pattern) => {
    if (pattern.includes("{")) return defineTopic(pattern, () => false).pattern.match;
    return (topic: string): Params | undefined => (topicMatches(pattern, topic) ? NO_PARAMS : undefined);
  });
  return (topic) => {
    for (const match of matchers) {
      const params = match(topic);
      if (params !== undefined) return params;
    }
    return undefined;
  };
}

/** Does a list of names, or prefixes that end in `*`, hold this one? No list holds all. */
export function holdsName(names: readonly string[] | undefined, name: string): boolean {
  return names === undefined || names.some((each) => (each.endsWith("*") ? name.startsWith(each.slice(0, -1)) : each === name));
}

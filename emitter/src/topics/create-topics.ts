import type { TopicDefinition } from "./define-topic.js";

/** Topic definitions by name. */
export interface Topics<User = unknown> {
  /** The definition that a topic falls under: a whole name before patterns, more literal characters before fewer, then the first defined. */
  find(topic: string): { readonly rule: TopicDefinition<User>; readonly params: Readonly<Record<string, string>> } | undefined;
}

/** @throws TypeError where a name or pattern is defined twice */
export function createTopics<User = unknown>(definitions: readonly TopicDefinition<User>[]): Topics<User> {
  const named = new Map<string, TopicDefinition<User>>();
  for (const definition of definitions) {
    if (named.has(definition.topic)) throw new TypeError(`The topic ${JSON.stringify(definition.topic)} is defined twice`);
    named.set(definition.topic, definition);
  }
  const patterns = definitions.filter(({ pattern }) => !pattern.exact).sort((a, b) => b.pattern.literals - a.pattern.literals);
  return {
    find: (topic) => {
      const exact = named.get(topic);
      if (exact !== undefined && exact.pattern.exact) return { rule: exact, params: {} };
      for (const rule of patterns) {
        const params = rule.pattern.match(topic);
        if (params !== undefined) return { rule, params };
      }
      return undefined;
    },
  };
}

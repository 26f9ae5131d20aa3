import { topicMatches } from "@bellwire/protocol";

/** What a topic allows to clients. */
export interface TopicOptions {
  /** Whether they may publish. */
  readonly publish: boolean;
  /** Whether they may see who is there; `count`: how many only. */
  readonly presence: boolean | "count";
}

const NOTHING: TopicOptions = { publish: false, presence: false };

/** A topic's options: those of the first pattern that covers it. */
export function topicOptionsOf(topics: readonly (readonly [pattern: string, options: TopicOptions])[], topic: string): TopicOptions {
  return topics.find(([pattern]) => topicMatches(pattern, topic))?.[1] ?? NOTHING;
}

import type { Filter } from "@bellwire/protocol";
import { compilePattern, type CompiledPattern, type PatternParams } from "./pattern.js";

/** False refuses. True allows; so does an object, whose `until` (epoch seconds) ends the subscription then. */
export type Permission = boolean | { readonly until?: number | undefined };

/** What a rule may want to know beside user, filter and params. */
export interface TopicContext {
  readonly site: string;
  readonly topic: string;
  /** The session, where `authenticate` named one. */
  readonly session: string | undefined;
}

/**
 * May this user watch this topic through this filter? A filter's value is a scalar, or an array that means "any of":
 * compare with `===`, so that an array never passes for one of its items.
 *
 * @param user what `authenticate` returned as `user`; null for a visitor without one
 * @param filter checked and in canonical form; `{}` asks for every message of the topic
 * @param params the placeholders' values, e.g. `{id: "42"}` for `user.{id}`
 */
export type CanSubscribe<User = unknown, Params = Readonly<Record<string, string>>> = (
  user: User,
  filter: Filter,
  params: Params,
  context: TopicContext,
) => Permission | Promise<Permission>;

/** A topic as a class: extend it, name it with `static topic`, and pass the class to `defineTopic`. */
export abstract class Topic<User = unknown, Params = Readonly<Record<string, string>>> {
  /** The topic's name, or a pattern like `user.{id}`. */
  static readonly topic: string;

  abstract canSubscribe(user: User, filter: Filter, params: Params, context: TopicContext): Permission | Promise<Permission>;
}

export interface TopicClass<User> {
  readonly topic: string;
  new (): Topic<User, never>;
}

/** A topic that may be subscribed, and who may. */
export interface TopicDefinition<User = unknown> {
  /** The name or pattern. */
  readonly topic: string;
  readonly pattern: CompiledPattern;
  readonly canSubscribe: CanSubscribe<User>;
}

/**
 * Defines who may subscribe to a topic, or to all topics of a pattern. `{name}` stands for one or more characters other
 * than the dot.
 *
 * @example
 * const contactUpdated = defineTopic("Contact_Updated_Topic", { canSubscribe: (user: User) => user.canViewContacts });
 * const personal = defineTopic("user.{id}", { canSubscribe: (user: User, filter, { id }) => user.id === id });
 *
 * @throws TypeError for a name that no topic can have, or a rule without `canSubscribe`
 */
export function defineTopic<const Pattern extends string, User = unknown>(
  topic: Pattern,
  rule: CanSubscribe<User, PatternParams<Pattern>> | { readonly canSubscribe: CanSubscribe<User, PatternParams<Pattern>> },
): TopicDefinition<User>;
export function defineTopic<User>(topic: TopicClass<User>): TopicDefinition<User>;
export function defineTopic<User>(topic: string | TopicClass<User>, given?: unknown): TopicDefinition<User> {
  if (typeof topic === "function") {
    if (typeof topic.topic !== "string") throw new TypeError(`class ${topic.name} needs a name for its topic: static topic = "..."`);
    return define(topic.topic, new topic());
  }
  return define(topic, typeof given === "function" && !("canSubscribe" in given) ? { canSubscribe: given } : given);
}

function define<User>(topic: string, rule: unknown): TopicDefinition<User> {
  const pattern = compilePattern(topic);
  const { canSubscribe } = (rule ?? {}) as { canSubscribe?: CanSubscribe<User> };
  if (typeof canSubscribe !== "function")
    throw new TypeError(`The topic ${JSON.stringify(topic)} needs canSubscribe(user, filter, params)`);
  return { topic, pattern, canSubscribe: canSubscribe.bind(rule) };
}

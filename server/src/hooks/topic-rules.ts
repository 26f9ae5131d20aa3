import type { Filter } from "@bellwire/protocol";
import { createTopics, defineTopic, type Permission, type TopicClass, type TopicContext, type TopicDefinition } from "@bellwire/emitter";
import type { SubscribeQuestion } from "./hooks.js";
import type { HookAnswer } from "./plain.js";

/** Who wants to subscribe, as rules see it. A visitor without a user has the id "". */
export interface TopicUser {
  readonly id: string;
  readonly session: string;
  /** What the backend said of the user when the connection was admitted. */
  readonly info: unknown;
}

/**
 * May this user watch this topic? `"user.{uuid}": ({uuid}, user) => user.id === uuid`.
 * @param params what the pattern's placeholders stand for
 * @returns false refuses; true allows, and so does `{until, info}`
 */
export type TopicRule = (
  params: Readonly<Record<string, string>>,
  user: TopicUser,
  filter: Filter,
  context: TopicContext,
) => HookAnswer<"subscribe"> | Promise<HookAnswer<"subscribe">>;

/** Rules by name, or by a pattern like `user.{uuid}`. */
export type TopicRules = Readonly<Record<string, TopicRule>>;

/** What `canSubscribe` and rules come as: rules by name, classes with `static topic`, and what `defineTopic` made. */
export type TopicRuleSource = TopicRules | TopicClass<TopicUser> | TopicDefinition<TopicUser>;

/** Asks the rule that a topic falls under; undefined where none does. */
export type AskTopicRules = (question: SubscribeQuestion) => (() => unknown) | undefined;

/** @throws TypeError for a name that no topic can have, or that is there twice */
export function compileTopicRules(sources: TopicRules | readonly TopicRuleSource[]): AskTopicRules {
  const list = Array.isArray(sources) ? (sources as readonly TopicRuleSource[]) : [sources as TopicRules];
  const topics = createTopics(list.flatMap(definitionsOf));
  return ({ site, user, session, info, topic, filter }) => {
    const found = topics.find(topic);
    if (found === undefined) return undefined;
    const context = { site, topic, session: session === "" ? undefined : session };
    return () => found.rule.canSubscribe({ id: user, session, info }, filter, found.params, context);
  };
}

function definitionsOf(source: TopicRuleSource): TopicDefinition<TopicUser>[] {
  if (typeof source === "function") return [defineTopic(source)];
  if (isDefinition(source)) return [source];
  return Object.entries(source).map(([topic, rule]) => {
    if (typeof rule !== "function") throw new TypeError(`The rule of the topic ${JSON.stringify(topic)} is not a function`);
    const canSubscribe = (user: TopicUser, filter: Filter, params: Readonly<Record<string, string>>, context: TopicContext): Permission =>
      // What a rule may answer beyond a permission is read where its answer is.
      rule(params, user, filter, context) as Permission;
    return defineTopic<string, TopicUser>(topic, canSubscribe);
  });
}

function isDefinition(source: TopicRules | TopicDefinition<TopicUser>): source is TopicDefinition<TopicUser> {
  return typeof source.pattern === "object" && typeof source.canSubscribe === "function";
}

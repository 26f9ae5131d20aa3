import type { Config } from "../config/config.js";
import { topicOptionsOf } from "../config/topic-options.js";
import type { Hooks } from "../hooks/hooks.js";
import type { PresenceMode } from "../presence/presence-text.js";

/** The optional parts of the contract that clients find here. */
export function featuresOf({ topics, personal }: Pick<Config, "topics" | "personal">, hooks: Hooks): string[] {
  return [
    ...(personal ? ["personal"] : []),
    "refresh",
    ...(hooks.features.includes("rpc") ? ["rpc"] : []),
    ...(topics.some(([, { publish }]) => publish) ? ["publish"] : []),
    ...(topics.some(([, { presence }]) => presence !== false) ? ["presence"] : []),
  ];
}

/** Whether a topic shows who is there, how many only, or nothing. */
export function presenceModeOf({ topics }: Pick<Config, "topics">): (topic: string) => false | PresenceMode {
  return (topic) => {
    const { presence } = topicOptionsOf(topics, topic);
    return presence === true ? "list" : presence;
  };
}

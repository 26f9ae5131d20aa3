import type { Config } from "./config/config.js";
import type { Hooks } from "./hooks/hooks.js";

/** The optional parts of the contract that clients find here. */
export function featuresOf({ topics }: Config, hooks: Hooks): string[] {
  return [
    "personal",
    "refresh",
    ...(hooks.features.includes("rpc") ? ["rpc"] : []),
    ...(topics.some(([, { publish }]) => publish) ? ["publish"] : []),
    ...(topics.some(([, { presence }]) => presence !== false) ? ["presence"] : []),
  ];
}

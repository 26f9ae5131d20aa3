export { readConfig, type ApiKey, type Config } from "./config/config.js";
export { fileJsonSchema, type FileConfig } from "./config/file.js";
export { ConfigError, type Environment } from "./config/reader.js";
export { createLogger, type Logger, type LoggerOptions } from "./observe/logger.js";
export type {
  ConnectionStory,
  ConnectionView,
  Inspector,
  Page,
  PageQuery,
  SiteView,
  SubscriptionView,
  TopicView,
} from "./observe/inspect.js";
export type { Happening } from "./observe/journal.js";
export { Relay, type RelayOptions } from "./relay/relay.js";
export type { FeedTiming } from "./feed/feeds.js";
export { createRelay, type RelayInProcess, type RelayInProcessOptions } from "./relay/create-relay.js";
export type { FileInput } from "./config/file.js";
export { disconnect, refuse, type HookFunction, type HookFunctions } from "./hooks/local-hooks.js";
export type { HookContext, Interceptor, Interceptors } from "./hooks/interceptors.js";
export type { RpcHandler } from "./hooks/rpc-handlers.js";
export type { TopicRule, TopicRules, TopicUser } from "./hooks/topic-rules.js";

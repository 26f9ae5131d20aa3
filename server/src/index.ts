export { readConfig, type ApiKey, type Config } from "./config/config.js";
export { fileJsonSchema, type FileConfig } from "./config/file.js";
export { ConfigError, type Environment } from "./config/reader.js";
export { createLogger, type Logger, type LoggerOptions } from "./logger.js";
export { Relay, type RelayOptions } from "./relay.js";
export type { FeedTiming } from "./feed/feeds.js";

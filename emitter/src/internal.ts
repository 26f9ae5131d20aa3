/** For the relay, which shares the log with emitters. Not part of the public API. */
export * from "./control/command.js";
export * from "./control/held.js";
export * from "./control/revocation.js";
export * from "./personal.js";
export * from "./redis/commands.js";
export * from "./redis/connect.js";
export * from "./redis/failure.js";
export * from "./redis/held.js";
export * from "./redis/keys.js";
export * from "./redis/log-limits.js";
export * from "./redis/scripts.js";
export * from "./redis/settings.js";
export * from "./redis/target.js";
export * from "./redis/transport.js";
export type * from "./transport.js";
export { readFlag, readInteger, readText, type Environment } from "./environment.js";
export { parseKey } from "./key.js";
export { encodeData, parseExcept, parseIdempotencyKey } from "./message.js";

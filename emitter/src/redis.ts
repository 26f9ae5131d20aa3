/** How emitters and relays use one Redis: names, connections, scripts, and what is stored where. For the relay; not part of the public API. */
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

// The three names that socket.io-client's manager takes from engine.io-client.
export { Socket } from "bellwire:engine/socket.js";
export { installTimerFunctions } from "bellwire:engine/util.js";
export { nextTick } from "bellwire:engine/globals.js";

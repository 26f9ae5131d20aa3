import { always, startNode } from "./node-peer.js";
import { API_KEY, type Peer } from "./peer.js";

export const bellwire: Peer = {
  name: "bellwire",
  title: "Bellwire",
  dialect: "bellwire",
  sender: "bellwire",
  settings:
    "the relay as built, production settings, all defaults: log of 1,000 messages per topic, tickets on, signed tokens; no personal topics, which the peers don't have",
  unavailable: always,
  start: (options) => startNode("./servers/bellwire.js", options, { apiKey: API_KEY }),
};

/** Bellwire has no clients without tokens, so it always gets a key. */
export const APP_KEY = "bench-app-key-0123456789-0123456789-0123456789";

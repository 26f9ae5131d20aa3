import { always, startNode } from "./node-peer.js";
import type { Peer } from "./peer.js";

export const ws: Peer = {
  name: "ws",
  title: "ws",
  dialect: "ws",
  sender: "ws",
  settings: "ws with ioredis pub/sub: an array of sockets per channel, the payload's bytes sent as they came, no compression, no checks",
  unavailable: always,
  start: (options) => startNode("./servers/ws.js", options),
};

/** For orientation: what a write per socket and message costs without any library between. */
export const wsRaw: Peer = {
  ...ws,
  name: "ws-raw",
  title: "one plain write",
  settings: "the same, but each message framed once and written straight to the TCP sockets: the floor of one write per delivery",
  start: (options) => startNode("./servers/ws.js", options, { rawWrites: true }),
};

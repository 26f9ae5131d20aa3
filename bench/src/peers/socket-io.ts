import { always, startNode } from "./node-peer.js";
import type { Peer } from "./peer.js";

export const socketIo: Peer = {
  name: "socket-io",
  title: "Socket.IO",
  dialect: "socket-io",
  sender: "socket-io",
  settings: "Socket.IO with the Redis adapter and emitter on ioredis, WebSocket only, no compression, first request let go",
  unavailable: always,
  start: (options) => startNode("./servers/socket-io.js", options),
};

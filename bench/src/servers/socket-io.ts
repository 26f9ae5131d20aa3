import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import { createVerifier } from "fast-jwt";
import { Server, type Socket } from "socket.io";
import { readSettings, serve } from "../rpc.js";
import { collect, type ServerSettings } from "./settings.js";

// As its documentation says for clusters, performance and memory: WebSocket only, no compression (the default), the adapter on
// two connections of its own, and the first HTTP request let go.
const settings = readSettings<ServerSettings>();
const http = createServer();
const publisher = new Redis(settings.redis);
const subscriber = publisher.duplicate();
const io = new Server(http, { transports: ["websocket"], serveClient: false, adapter: createAdapter(publisher, subscriber) });
io.engine.on("connection", (raw: { request: unknown }) => {
  raw.request = null;
});

const namespace = settings.sites ? io.of(/^\/site\/[\w-]+$/) : io.of("/");
if (settings.appKey !== undefined) {
  const verify = createVerifier({ key: settings.appKey, algorithms: ["HS256"], allowedAud: "bellwire:connect", cache: false });
  namespace.use((socket, next) => {
    try {
      const payload = verify(String(socket.handshake.auth.token)) as { sub: string };
      socket.data.user = payload.sub;
      next();
    } catch (error) {
      next(error as Error);
    }
  });
}
namespace.on("connection", (socket: Socket) => {
  socket.on("join", async (rooms: string[], done: (rooms: number) => void) => {
    await socket.join(rooms);
    done(rooms.length);
  });
});

await new Promise<void>((resolve) => {
  http.listen(settings.port, "127.0.0.1", resolve);
});
serve({ collect }, { port: (http.address() as AddressInfo).port });

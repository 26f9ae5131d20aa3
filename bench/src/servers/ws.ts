import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { Redis } from "ioredis";
import { WebSocketServer, type WebSocket } from "ws";
import { readSettings, serve } from "../rpc.js";
import { collect, type ServerSettings } from "./settings.js";

/** The least that a hand-written relay does: a list of sockets for each channel, and what Redis brings passed on as it is. */
const settings = readSettings<ServerSettings>();
const redis = new Redis(settings.redis);
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: settings.port,
  perMessageDeflate: false,
  skipUTF8Validation: true,
  clientTracking: false,
});

interface Listener {
  readonly socket: WebSocket;
  readonly tcp: Socket;
}

const channels = new Map<string, Listener[]>();
const asText = { binary: false, compress: false };

server.on("connection", (socket, request) => {
  const listener = { socket, tcp: request.socket };
  socket.on("message", (data) => {
    subscribe(listener, (JSON.parse(String(data)) as { subscribe: string[] }).subscribe).catch(() => socket.terminate());
  });
  socket.on("close", () => {
    for (const [name, list] of channels) {
      const at = list.indexOf(listener);
      if (at < 0) continue;
      list.splice(at, 1);
      if (list.length > 0) continue;
      channels.delete(name);
      redis.unsubscribe(name).catch(() => undefined);
    }
  });
});

async function subscribe(listener: Listener, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const list = channels.get(name);
    if (list !== undefined) list.push(listener);
    else {
      channels.set(name, [listener]);
      await redis.subscribe(name);
    }
  }
  listener.socket.send('{"subscribed":true}');
}

redis.on("messageBuffer", (name: Buffer, message: Buffer) => {
  const list = channels.get(name.toString());
  if (list === undefined) return;
  if (settings.rawWrites) {
    const frame = textFrame(message);
    for (const { tcp } of list) tcp.write(frame);
  } else for (const { socket } of list) socket.send(message, asText);
});

/** A WebSocket text frame of less than 64 KiB, unmasked as a server's is. */
function textFrame(message: Buffer): Buffer {
  if (message.length < 126) return Buffer.concat([Buffer.from([0x81, message.length]), message]);
  return Buffer.concat([Buffer.from([0x81, 126, message.length >> 8, message.length & 255]), message]);
}

await once(server, "listening");
serve({ collect }, { port: (server.address() as AddressInfo).port });

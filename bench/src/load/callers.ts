import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { io, type Socket } from "socket.io-client";
import { sleep } from "../measure/clock.js";
import { readSettings, serve } from "../rpc.js";
import { ONE_SITE } from "./plan.js";
import { connectToken } from "./tokens.js";

export interface CallersSettings {
  readonly appKey: string;
  readonly callers: number;
  /** Calls a second, over all of them. */
  readonly rate: number;
  /** Milliseconds that the slow backend takes. */
  readonly slow: number;
}

/** Clients that call methods of a backend that is slow and of one that is down; the slow one lives here too. */
const { appKey, callers, rate, slow } = readSettings<CallersSettings>();
const sockets: Socket[] = [];
const answers: Record<string, number> = {};
let running = false;
let done: Promise<void> = Promise.resolve();

const backend = createServer((request, response) => {
  request.resume();
  setTimeout(() => response.writeHead(200, { "content-type": "application/json" }).end('{"data":1}'), slow);
});
await new Promise<void>((resolve) => {
  backend.listen(0, "127.0.0.1", resolve);
});
serve({ open, start, stop }, { port: (backend.address() as AddressInfo).port });

async function open(port: number): Promise<void> {
  for (let i = 0; i < callers; i++) {
    const socket = io(`http://127.0.0.1:${port}/site/${ONE_SITE}`, {
      transports: ["websocket"],
      auth: { v: 1, token: connectToken(appKey, { wishes: [] }, i) },
    });
    await new Promise((resolve, reject) => {
      socket.once("hello", resolve);
      socket.once("connect_error", reject);
    });
    sockets.push(socket);
  }
}

function start(): void {
  running = true;
  done = call();
}

/** Ends calling, and gives how many answers of each kind came. */
async function stop(): Promise<Record<string, number>> {
  running = false;
  await done;
  return answers;
}

async function call(): Promise<void> {
  const begin = Date.now();
  for (let count = 0; running; await sleep(2)) {
    for (const due = ((Date.now() - begin) / 1000) * rate; count < due; count++) {
      const method = count % 2 === 0 ? "slow.call" : "dead.call";
      sockets[count % sockets.length]?.emit("rpc", { method, data: count }, (reply: { error?: { code: string } }) => {
        const kind = `${method}: ${reply.error?.code ?? "answered"}`;
        answers[kind] = (answers[kind] ?? 0) + 1;
      });
    }
  }
}

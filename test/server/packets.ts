import { once } from "node:events";
import { WebSocket, type ClientOptions } from "ws";

/**
 * A WebSocket that speaks engine.io and Socket.IO by hand: what is sent and received are packets as they stand on the wire.
 * Answers pings.
 */
export class Packets {
  readonly ws: WebSocket;
  /** Everything received but engine.io's own packets, e.g. `42/site/5,["hello",{}]`. */
  readonly received: string[] = [];
  readonly #waiting = new Set<() => void>();

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on("error", () => undefined);
    ws.on("message", (data: Buffer) => {
      const text = data.toString();
      if (text === "2") ws.send("3");
      else if (text.startsWith("4")) this.received.push(text);
      for (const look of this.#waiting) look();
    });
    ws.on("close", () => {
      for (const look of this.#waiting) look();
    });
  }

  /** @param url of the relay, e.g. `ws://127.0.0.1:6200` */
  static async open(url: string, options: ClientOptions = {}, path = "/socket.io/"): Promise<Packets> {
    const ws = new WebSocket(`${url}${path}?EIO=4&transport=websocket`, options);
    const packets = new Packets(ws);
    await once(ws, "open");
    return packets;
  }

  send(...packets: string[]): void {
    for (const packet of packets) this.ws.send(packet);
  }

  /** The first packet received that satisfies the test, now or later. */
  find(test: (packet: string) => boolean, ms = 5000): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(() => reject(new Error(`Not among ${JSON.stringify(this.received)}`))), ms);
      const settle = (end: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        end();
      };
      const look = (): void => {
        const found = this.received.find(test);
        if (found !== undefined) settle(() => resolve(found));
        else if (this.ws.readyState === WebSocket.CLOSED) settle(() => reject(new Error("The relay closed the connection")));
      };
      this.#waiting.add(look);
      look();
    });
  }

  async close(): Promise<void> {
    if (this.ws.readyState === WebSocket.CLOSED) return;
    const closed = once(this.ws, "close");
    this.ws.terminate();
    await closed;
  }
}

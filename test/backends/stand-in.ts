import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Stands in for a relay. */
export class StandIn {
  /** The idempotency keys of the requests so far. */
  readonly keys: unknown[] = [];
  /** The most connections that were open at once. */
  most = 0;
  #open = 0;
  readonly #server: Server;

  private constructor(answer: (response: ServerResponse, request: IncomingMessage, attempt: number) => void) {
    this.#server = createServer((request, response) => {
      let body = "";
      request.on("data", (data: Buffer) => (body += data.toString()));
      request.on("end", () => {
        this.keys.push((JSON.parse(body) as { idempotencyKey: unknown }).idempotencyKey);
        answer(response, request, this.keys.length);
      });
    });
    this.#server.on("connection", (socket) => {
      this.most = Math.max(this.most, ++this.#open);
      socket.once("close", () => this.#open--);
    });
  }

  static async start(answer: (response: ServerResponse, request: IncomingMessage, attempt: number) => void): Promise<StandIn> {
    const standIn = new StandIn(answer);
    standIn.#server.listen(0, "127.0.0.1");
    await once(standIn.#server, "listening");
    return standIn;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

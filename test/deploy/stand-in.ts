import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { WebSocketServer } from "ws";

/** Something in a relay's place that keeps what reaches it, and is ready or not as told. */
export class StandIn {
  readonly port: number;
  readonly requests: { url: string; headers: IncomingHttpHeaders }[] = [];
  ready = true;
  /** What it answers to everything but /readyz; 0: it closes the connection. */
  status = 200;
  readonly #server: Server;
  readonly #sockets: WebSocketServer;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as { port: number }).port;
    this.#sockets = new WebSocketServer({ server });
    this.#sockets.on("connection", (socket, request) => {
      this.requests.push({ url: request.url ?? "", headers: request.headers });
      socket.on("message", (data) => socket.send(data.toString()));
    });
    server.on("request", (request, response) => {
      const check = request.url === "/readyz";
      if (!check) this.requests.push({ url: request.url ?? "", headers: request.headers });
      if (!check && this.status === 0) return request.socket.destroy();
      return response.writeHead(check ? (this.ready ? 200 : 503) : this.status).end(`stand-in ${this.port}`);
    });
  }

  static async start(): Promise<StandIn> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new StandIn(server);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A way to a server that lets questions pass and loses answers: the connection is reset in place of the next one. */
export class AnswerCutter {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cuts = 0;
  #match: RegExp = /./;
  /** Answers that were lost. */
  cut = 0;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.port = (server.address() as { port: number }).port;
    server.on("connection", (near) => this.#pass(near, connect({ port: target, host: "127.0.0.1", noDelay: true })));
  }

  static async open(target: number): Promise<AnswerCutter> {
    const server = createServer({ noDelay: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return new AnswerCutter(server, target);
  }

  /** Loses the next answers that look so. */
  lose(count: number, match: RegExp): void {
    this.#cuts = count;
    this.#match = match;
  }

  #pass(near: Socket, far: Socket): void {
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on("data", (chunk) => far.write(chunk));
    far.on("data", (chunk: Buffer) => {
      if (this.#cuts === 0 || !this.#match.test(chunk.toString("latin1"))) return void near.write(chunk);
      this.#cuts--;
      this.cut++;
      near.resetAndDestroy();
    });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

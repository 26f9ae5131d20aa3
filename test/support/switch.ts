import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A TCP forwarder whose target can be changed, as a balancer that has noticed. */
export class Switch {
  /** The port that new connections go to, or who chooses one for each. */
  target: number | (() => number);
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, target: Switch["target"]) {
    this.#server = server;
    this.target = target;
    server.on("connection", (inner) => this.#forward(inner));
  }

  static async open(target: Switch["target"]): Promise<Switch> {
    const server = createServer();
    const made = new Switch(server, target);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return made;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  #forward(inner: Socket): void {
    const outer = connect(typeof this.target === "number" ? this.target : this.target(), "127.0.0.1");
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** A line to a port that can swallow everything, as a network does that is there and leads nowhere. */
export class Hole {
  /** Whether new connections lead nowhere; those are never answered, also after the hole has ended. */
  swallows = false;
  /** Connections that were swallowed. */
  swallowed = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer();

  static async open(target: number): Promise<Hole> {
    const hole = new Hole();
    hole.#server.on("connection", (inner) => {
      hole.#keep(inner);
      if (hole.swallows) return void hole.swallowed++;
      const outer = hole.#keep(connect(target, "127.0.0.1"));
      inner.pipe(outer).pipe(inner);
      inner.on("close", () => outer.destroy());
      outer.on("close", () => inner.destroy());
    });
    hole.#server.listen(0, "127.0.0.1");
    await once(hole.#server, "listening");
    return hole;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    return socket;
  }
}

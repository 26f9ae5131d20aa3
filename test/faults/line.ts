import { once } from "node:events";
import { createServer, connect, type Server, type Socket } from "node:net";

export interface LineOptions {
  /** Ports of 127.0.0.1 that the line leads to. It stays with one while that takes connections. */
  readonly targets: readonly number[];
  /** Announces this as the address of whoever calls, by the PROXY protocol, so that a balancer can tell callers apart. */
  readonly caller?: string;
}

interface Call {
  readonly near: Socket;
  readonly far: Socket;
  /** Half-open: what is sent is lost, and neither end learns that the other is gone. */
  dead: boolean;
  /** What the caller has sent and the other end is to get later. */
  held: Buffer[] | undefined;
}

/** A TCP line that can fail in all the ways of a network. */
export class Line {
  readonly port: number;
  readonly #server: Server;
  readonly #targets: readonly number[];
  readonly #caller: string | undefined;
  readonly #calls = new Set<Call>();
  #target = 0;
  #refusing = false;
  #swallowing = false;
  #stalled = false;
  #delay = 0;

  private constructor(server: Server, { targets, caller }: LineOptions) {
    this.#server = server;
    this.port = (server.address() as { port: number }).port;
    this.#targets = targets;
    this.#caller = caller;
    server.on("connection", (near) => void this.#answer(near));
  }

  static async open(options: LineOptions): Promise<Line> {
    const server = createServer({ noDelay: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Line(server, options);
  }

  /** Ends every connection at once, as a reset. New ones pass. */
  cut(): void {
    for (const { near, far, dead } of this.#calls) {
      if (dead) continue;
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /** Resets every new connection until told otherwise. */
  refuse(on: boolean): void {
    this.#refusing = on;
  }

  /** From now on the connections of this moment lose all that is sent, for good, and neither end is told. */
  swallow(): void {
    for (const call of this.#calls) call.dead = true;
  }

  /** The same for all connections that come while it lasts. */
  swallowAll(on: boolean): void {
    this.#swallowing = on;
    if (on) this.swallow();
  }

  /** Holds everything back, and delivers it late: a network that drops packets for a while, and TCP that sends them again. */
  stall(on: boolean): void {
    this.#stalled = on;
    for (const { near, far } of this.#calls) {
      for (const socket of [near, far]) {
        if (on) socket.pause();
        else socket.resume();
      }
    }
  }

  /** Keeps what the callers of this moment send, as a buffer on the way does; answers pass. */
  hold(): void {
    for (const call of this.#calls) call.held ??= [];
  }

  /** Resets these callers' connections. The other end is not told. */
  giveUp(): void {
    for (const { near, held } of this.#calls) if (held !== undefined) near.resetAndDestroy();
  }

  /** Delivers what was kept, and the end of the connections that were given up. */
  release(): void {
    for (const call of this.#calls) {
      const { near, far, held } = call;
      call.held = undefined;
      for (const chunk of held ?? []) far.write(chunk);
      if (near.destroyed) far.destroySoon();
    }
  }

  /** Each packet takes so many milliseconds more. */
  delay(ms: number): void {
    this.#delay = ms;
  }

  /** The next connection leads to this one of the targets. */
  lead(target: number): void {
    this.#target = target % this.#targets.length;
  }

  get target(): number {
    return this.#target;
  }

  async #answer(near: Socket): Promise<void> {
    near.on("error", () => undefined); // "close" follows
    if (this.#refusing) return void near.resetAndDestroy();
    near.pause();
    const far = await this.#dial();
    if (far === undefined || near.destroyed) {
      far?.destroy();
      return void near.resetAndDestroy();
    }
    if (this.#caller !== undefined) far.write(`PROXY TCP4 ${this.#caller} 127.0.0.1 ${near.remotePort ?? 1} ${this.port}\r\n`);
    const call: Call = { near, far, dead: this.#swallowing, held: undefined };
    this.#calls.add(call);
    this.#connect(call, near, far);
    this.#connect(call, far, near);
    if (!this.#stalled) near.resume();
    else far.pause();
  }

  /** Tries the targets from the present one on. */
  async #dial(): Promise<Socket | undefined> {
    for (let tried = 0; tried < this.#targets.length; tried++) {
      const far = connect({ port: this.#targets[this.#target] as number, host: "127.0.0.1", noDelay: true });
      const open = await new Promise<boolean>((resolve) => {
        far.once("connect", () => resolve(true));
        far.on("error", () => resolve(false));
      });
      if (open) return far;
      this.#target = (this.#target + 1) % this.#targets.length;
    }
    return undefined;
  }

  #connect(call: Call, from: Socket, to: Socket): void {
    let due = 0;
    const later = (run: () => void): void => {
      const now = Date.now();
      due = Math.max(due, now + this.#delay);
      if (due <= now) run();
      else setTimeout(run, due - now);
    };
    from.on("data", (chunk: Buffer) => {
      if (from === call.near && call.held !== undefined) call.held.push(chunk);
      else if (!call.dead) later(() => !call.dead && !to.destroyed && to.write(chunk));
    });
    from.on("close", () => {
      if (call.near.destroyed && call.far.destroyed) this.#calls.delete(call);
      if (!call.dead && !(from === call.near && call.held !== undefined)) later(() => !call.dead && to.destroySoon());
    });
  }

  close(): void {
    this.#server.close();
    for (const { near, far } of this.#calls) {
      near.destroy();
      far.destroy();
    }
  }
}

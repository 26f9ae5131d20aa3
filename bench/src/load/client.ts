import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Dialect, Speaker } from "./dialect.js";
import type { ClientPlan } from "./plan.js";
import type { Tally } from "./tally.js";
import { clientFrame, CLOSE, PING, PONG, TEXT, walkFrames } from "./websocket-frames.js";

// Each read of any socket lands here and is dealt with before the next: nothing is allocated for what is only counted.
const incoming = Buffer.allocUnsafe(262_144);

/** One client: a TCP socket, the WebSocket handshake by hand, and a dialect that says what to send. */
export class LoadClient implements Speaker {
  readonly plan: ClientPlan;
  readonly number: number;
  readonly tally: Tally;
  readonly #dialect: Dialect;
  #socket: Socket | undefined;
  #rest: Buffer | undefined;
  #upgraded = false;
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined;
  /** Subscribed to all that the plan wants. */
  ready = false;
  /** Called when a connection that was ready is gone. */
  onGone: (() => void) | undefined;
  /** What the dialect has to remember over reconnects: tickets and positions. */
  memory: unknown;

  constructor(plan: ClientPlan, number: number, dialect: Dialect, tally: Tally) {
    this.plan = plan;
    this.number = number;
    this.tally = tally;
    this.#dialect = dialect;
  }

  /** Connects and subscribes; resolves when the server has confirmed all of it. */
  open(port: number): Promise<void> {
    this.#rest = undefined;
    this.#upgraded = false;
    return new Promise<void>((resolve, reject) => {
      this.#settle = { resolve, reject };
      const socket = connect({
        host: "127.0.0.1",
        port,
        noDelay: true,
        onread: { buffer: incoming, callback: (length, buffer) => this.#read(buffer as Buffer, length) },
      });
      this.#socket = socket;
      socket.on("connect", () => socket.write(upgradeRequest(this.#dialect.path(this.plan), port)));
      socket.on("error", () => undefined); // "close" follows
      socket.on("close", () => this.#closed(socket));
    });
  }

  #closed(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    const wasReady = this.ready;
    this.ready = false;
    this.fail("The connection was closed");
    if (wasReady) this.onGone?.();
  }

  /** Said by the dialect once everything is confirmed. */
  done(): void {
    this.ready = true;
    this.#settle?.resolve();
    this.#settle = undefined;
  }

  fail(reason: string): void {
    this.#settle?.reject(new Error(`Client ${this.number}: ${reason}`));
    this.#settle = undefined;
  }

  send(text: string): void {
    this.#socket?.write(clientFrame(TEXT, Buffer.from(text)));
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }

  #read(buffer: Buffer, length: number): boolean {
    if (this.#rest !== undefined) {
      const rest = this.#rest;
      this.#rest = undefined;
      const whole = Buffer.concat([rest, buffer.subarray(0, length)]);
      this.#take(whole, whole.length);
    } else this.#take(buffer, length);
    return true;
  }

  #take(bytes: Buffer, length: number): void {
    let from = 0;
    if (!this.#upgraded) {
      const end = bytes.subarray(0, length).indexOf("\r\n\r\n");
      if (end < 0) return this.#keep(bytes, 0, length);
      const head = bytes.toString("latin1", 0, end);
      if (!head.startsWith("HTTP/1.1 101")) {
        this.fail(head.split("\r\n", 1)[0] as string);
        return this.close();
      }
      this.#upgraded = true;
      this.#dialect.opened(this);
      from = end + 4;
    }
    const rest = from + walkFrames(from === 0 ? bytes : bytes.subarray(from), length - from, this.#onFrame);
    if (rest < length) this.#keep(bytes, rest, length);
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    this.#rest = Buffer.from(bytes.subarray(from, to));
  }

  readonly #onFrame = (opcode: number, bytes: Buffer, start: number, end: number): void => {
    if (opcode === TEXT) this.#dialect.text(this, bytes, start, end);
    else if (opcode === PING) this.#socket?.write(clientFrame(PONG, bytes.subarray(start, end)));
    else if (opcode === CLOSE) this.#socket?.destroy();
  };
}

function upgradeRequest(path: string, port: number): string {
  const key = randomBytes(16).toString("base64");
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`;
}

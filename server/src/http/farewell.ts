import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** Milliseconds. */
export interface FarewellTiming {
  /** How long a connection that is kept alive may lie idle once the relay leaves. Whoever uses it more often has it closed with an answer. */
  readonly idle: number;
  /** How long requests may still be under way at the end. A publish answers within 5 s. */
  readonly answer: number;
  /** How long an answer may still be on its way to somebody who does not read. */
  readonly flush: number;
}

const TIMING: FarewellTiming = { idle: 1000, answer: 5500, flush: 500 };
const LOOK_MS = 10;

/**
 * Ends a server's HTTP connections so that nobody's request gets lost. A client that keeps connections alive may send its next
 * request at any moment, and one that meets a closed socket is told nothing of what became of it. So from the first moment of
 * leaving each answer closes its connection, and says so; only what then lies idle is closed without one.
 */
export class Farewell {
  readonly #timing: FarewellTiming;
  readonly #underWay = new Map<ServerResponse, IncomingMessage>();
  /** Connections between two requests, with the bytes that they had brought by then. */
  readonly #idle = new Map<Socket, number>();
  readonly #seen = new WeakSet<Socket>();
  #timer: NodeJS.Timeout | undefined;
  #leaving = false;

  constructor(timing: Partial<FarewellTiming> = {}) {
    this.#timing = { ...TIMING, ...timing };
  }

  /**
   * Looks at each request of a server. Long polls of open sessions are not waited for.
   * @param mayClose false where the connections are somebody else's too, as in a server of the application's own
   */
  watch(server: Server, isPoll: (url: string) => boolean, mayClose: boolean): void {
    server.prependListener("request", (request: IncomingMessage, response: ServerResponse) => {
      if (this.#leaving) response.shouldKeepAlive = false;
      const { socket } = request;
      if (mayClose) this.#remember(socket);
      if (!isPoll(request.url ?? "")) this.#underWay.set(response, request);
      response.once("close", () => {
        this.#underWay.delete(response);
        if (mayClose && !socket.destroyed) this.#idle.set(socket, socket.bytesRead);
      });
    });
  }

  #remember(socket: Socket): void {
    this.#idle.delete(socket);
    if (this.#seen.has(socket)) return;
    this.#seen.add(socket);
    socket.once("close", () => this.#idle.delete(socket));
  }

  /** From now on connections end with their next answer, or when they have been idle for a while. */
  begin(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    // Headers of answers under way may not have been written yet.
    for (const response of this.#underWay.keys()) response.shouldKeepAlive = false;
    this.#timer = setInterval(() => this.#closeIdle(), this.#timing.idle);
    this.#timer.unref();
  }

  /** Those that have been used since are not idle, or closed: each answer closes its connection. */
  #closeIdle(): void {
    for (const [socket, read] of this.#idle) {
      // A request is just coming in.
      if (socket.bytesRead === read) socket.destroy();
    }
  }

  /** Resolves when what has come in is answered, or takes too long. Nothing new should come in any more. */
  async finish(): Promise<void> {
    this.begin();
    clearInterval(this.#timer);
    const unanswered = (): boolean => [...this.#underWay].some(([response, { complete }]) => complete && !response.writableEnded);
    const unread = (): boolean => [...this.#underWay.keys()].some(({ writableEnded }) => writableEnded);
    await whileTrue(unanswered, this.#timing.answer);
    await whileTrue(unread, this.#timing.flush);
    this.#closeIdle();
  }
}

async function whileTrue(condition: () => boolean, ms: number): Promise<void> {
  for (const end = performance.now() + ms; condition() && performance.now() < end;) await pause(LOOK_MS);
}

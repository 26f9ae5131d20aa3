import { asObject, type Auth, type JsonObject } from "@bellwire/protocol";
import { Manager, type Socket } from "socket.io-client";
import { ClientError } from "../errors.js";
import { invoke, type Report } from "../invoke.js";
import { DEFAULT_FRAME, oversize, readFrameLimits, type FrameLimits } from "./frame-limits.js";
import type { Target } from "./target.js";

/** The most questions that wait for an answer at once. */
const MAX_REQUESTS = 10_000;

export interface LinkOptions {
  readonly target: Target;
  readonly auth: Auth;
  /** Where an attempt with WebSocket got no answer at all. */
  readonly pollingOnly: boolean;
  /** Milliseconds for the transport to open; everything up to the relay's `hello` may take twice as long. */
  readonly patience: number;
  readonly withCredentials: boolean;
  readonly report: Report;
  onEvent(name: string, args: readonly unknown[]): void;
  /** Called once, unless `close` came first: nothing can be sent or heard any more. */
  onDown(error: ClientError): void;
}

type Done = (error: ClientError | undefined, reply: JsonObject) => void;

/**
 * One Socket.IO connection from its opening to its end; the next one is another Link. Socket.IO's own reconnection is off:
 * it loses its jitter at the longest delay and never returns after a disconnect by the server.
 */
export class Link {
  readonly #socket: Socket;
  readonly #options: LinkOptions;
  readonly #requests = new Set<Done>();
  readonly #helloTimer: ReturnType<typeof setTimeout>;
  #down = false;
  #frame: FrameLimits = DEFAULT_FRAME;
  /** Requests so far: the id that Socket.IO gives the next one. */
  #sent = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
    // A Manager of its own: `io()` would share one connection among all clients of the page.
    const manager = new Manager(options.target.origin, {
      path: options.target.path,
      transports: options.pollingOnly ? ["polling"] : ["websocket", "polling"],
      tryAllTransports: true,
      withCredentials: options.withCredentials,
      reconnection: false,
      autoConnect: false,
      timeout: options.patience,
    });
    const socket = manager.socket(options.target.namespace, { auth: options.auth });
    this.#socket = socket;
    socket.onAny((name: string, ...args: unknown[]) => {
      if (name === "hello") this.#greeted(asObject(args[0]) ?? {});
      if (!this.#down) invoke(options.onEvent, options.report, name, args);
    });
    socket.on("connect_error", (error) => this.fail(connectError(error)));
    socket.on("disconnect", (reason) => this.fail(unavailable(`The connection is lost (${reason})`)));
    this.#helloTimer = setTimeout(() => this.fail(timedOut("The relay said no hello")), options.patience * 2);
    socket.connect();
  }

  get isDown(): boolean {
    return this.#down;
  }

  /** What one frame may hold, as `hello` said. */
  get frame(): FrameLimits {
    return this.#frame;
  }

  /**
   * Sends an event and calls back once: with the reply, with the error in it, after `timeout` milliseconds or when the link ends.
   * What is over the relay's limits is not sent, since the relay would close the connection: `too-large`.
   * A callback and not a promise: an ack must be worked off before the packet behind it, and a promise would let that one pass.
   */
  request(event: string, payload: unknown, timeout: number, done: Done): void {
    if (this.#down || !this.#socket.connected) return done(unavailable("There is no connection"), {});
    if (this.#requests.size >= MAX_REQUESTS) return done(new ClientError({ code: "limit", message: "Too many requests at once" }), {});
    let text: string;
    try {
      text = JSON.stringify([event, payload]);
    } catch (cause) {
      return done(new ClientError({ code: "bad-request", message: "The data can't be written as JSON" }, cause), {});
    }
    const message = oversize(this.#frame, event, payload, `42${this.#options.target.namespace},${this.#sent}${text}`);
    if (message !== undefined) return done(new ClientError({ code: "too-large", message }), {});
    const finish: Done = (error, reply) => {
      clearTimeout(timer);
      if (this.#requests.delete(finish)) invoke(done, this.#options.report, error, reply);
    };
    const timer = setTimeout(() => finish(timedOut("The relay gave no answer"), {}), timeout);
    this.#requests.add(finish);
    this.#sent++;
    // Of the text that was measured: Socket.IO itself would send what is binary beside it, of any size.
    const [, measured] = JSON.parse(text) as [string, unknown];
    this.#socket.emit(event, measured, (answer: unknown) => {
      const reply = asObject(answer) ?? {};
      finish(reply.error === undefined ? undefined : new ClientError(reply.error), reply);
    });
  }

  #greeted(hello: JsonObject): void {
    clearTimeout(this.#helloTimer);
    this.#frame = readFrameLimits(hello);
  }

  /** Ends the link if it gives no sign of life within `timeout` milliseconds. */
  check(timeout: number): void {
    this.request("unsubscribe", [], timeout, (error) => {
      if (error?.code === "timeout") this.fail(error);
    });
  }

  /** Idempotent; `onDown` is not called. */
  close(): void {
    if (this.#down) return;
    this.#down = true;
    clearTimeout(this.#helloTimer);
    this.#socket.off();
    this.#socket.offAny();
    this.#socket.disconnect();
    for (const finish of [...this.#requests]) finish(unavailable("The connection was lost before the answer: the outcome is unknown"), {});
  }

  /** Closes it, and calls `onDown`. */
  fail(error: ClientError): void {
    if (this.#down) return;
    this.close();
    this.#options.onDown(error);
  }
}

function connectError(error: Error & { data?: unknown }): ClientError {
  if (asObject(error.data)?.code !== undefined) return new ClientError(error.data, error);
  if (error.message === "timeout") return timedOut("The relay's transport did not open");
  return new ClientError({ code: "unavailable", message: `The relay can't be reached: ${error.message}` }, error);
}

function unavailable(message: string): ClientError {
  return new ClientError({ code: "unavailable", message });
}

function timedOut(message: string): ClientError {
  return new ClientError({ code: "timeout", message });
}

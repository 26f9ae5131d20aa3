import { randomUUID } from "node:crypto";
import {
  asObject,
  onAcked,
  onMessages,
  onPosition,
  onResync,
  parseFilter,
  parseWireError,
  siteNamespace,
  type Filter,
  type ParsedFilter,
  type Position,
  type ServerEvents,
  type Step,
  type SubscribeResult,
  type WireError,
  type WireMessage,
} from "@bellwire/protocol";
import { Manager, type Socket } from "socket.io-client";
import { Failure, isAboutClocks } from "./failure.js";
import { shownAddress } from "./settings.js";

export interface Tokens {
  readonly connect: string;
  readonly subscribe: string;
}

export interface ListenerOptions {
  /** The relay; a path is a prefix. */
  readonly url: URL;
  readonly site: string;
  readonly topic: string;
  readonly filter: Filter;
  /** Whether to get the topic's last message first. */
  readonly replay: boolean;
  /** Asked for each attempt to connect: tokens live for a minute. */
  readonly mint: () => Promise<Tokens>;
  readonly onMessage: (epoch: string, message: WireMessage, replay: boolean) => void;
  readonly onResync: (position: Position, cause: string) => void;
  /** Told of what goes on, in sentences: a connection lost, a refusal that time may heal. */
  readonly onTrouble: (sentence: string) => void;
}

const ID = "1";
const ANSWER_MS = 10_000;
const AGAIN_MS = 1000;

/**
 * One subscription, as a client in another language would write it from the contract alone: it returns after a lost connection
 * with its cursor, and so hears each message once or is told of a resync.
 */
export class Listener {
  /** Settles once: when the relay first confirms the subscription; rejects with a Failure where it can't come about. */
  readonly ready: Promise<void>;
  /** Resolves after `close`; rejects with a Failure where the subscription ended for good. */
  readonly ended: Promise<void>;
  readonly #options: ListenerOptions;
  readonly #filter: ParsedFilter;
  readonly #socket: Socket;
  readonly #settle: { readonly ready: () => void; readonly end: (failure?: Failure) => void };
  #timer: NodeJS.Timeout | undefined;
  #tokens: Tokens | undefined;
  #cursor: Position | undefined;
  #connected = false;
  #closed = false;
  #lastWords: string | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#filter = parseFilter(options.filter);
    let ready = (): void => undefined;
    let resolve = (): void => undefined;
    let reject = (_error: Error): void => undefined;
    this.ended = new Promise((res, rej) => void ([resolve, reject] = [res, rej]));
    this.ready = new Promise((res, rej) => {
      ready = res;
      this.ended.then(() => rej(new Failure("Closed before the relay answered")), rej);
    });
    this.ready.catch(() => undefined); // perhaps only `ended` is looked at
    this.#settle = { ready, end: (failure) => (failure === undefined ? resolve() : reject(failure)) };
    this.#socket = this.#open();
  }

  #open(): Socket {
    const { url, site } = this.#options;
    const manager = new Manager(`${url.protocol}//${url.host}`, {
      path: `${url.pathname.replace(/(\/socket\.io)?\/*$/, "")}/socket.io/`,
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      timeout: ANSWER_MS,
      autoConnect: false,
    });
    const client = randomUUID();
    const socket = manager.socket(siteNamespace(site), {
      auth: (answer) => {
        this.#options.mint().then(
          (tokens) => {
            this.#tokens = tokens;
            answer({ v: 1, client, token: tokens.connect });
          },
          (error: unknown) => this.#fail(`No token could be signed: ${(error as Error).message}`),
        );
      },
    });
    const on = <Name extends keyof ServerEvents>(name: Name, listener: ServerEvents[Name]): void => void socket.on(name, listener as never);
    on("hello", () => {
      this.#connected = true;
      this.#subscribe();
    });
    on("messages", (topic, epoch, batch) => {
      if (topic === this.#options.topic && this.#cursor !== undefined)
        this.#take(onMessages(this.#cursor, this.#filter, epoch, batch), "epoch");
    });
    on("positions", (positions) => {
      for (const position of this.#own(positions)) this.#take(onPosition(this.#cursor ?? position, position), "epoch");
    });
    on("resync", (positions, how) => {
      for (const position of this.#own(positions)) this.#take(onResync(position), how?.cause ?? "resync");
    });
    on("unsubscribed", ({ id, error }) => {
      if (id === ID) this.#refused(error, () => this.#reconnect());
    });
    on("expiring", ({ ids }) => this.#refresh(ids));
    on("bye", (error) => void (this.#lastWords = wordsOf(error)));
    socket.on("connect_error", (error: Error & { data?: unknown }) => this.#unconnected(error));
    socket.on("disconnect", (reason) => this.#disconnected(reason));
    socket.connect();
    return socket;
  }

  #own<T extends { topic: string }>(list: readonly T[]): T[] {
    return list.filter(({ topic }) => topic === this.#options.topic);
  }

  #subscribe(): void {
    const { topic, filter, replay } = this.#options;
    const since = this.#cursor === undefined ? {} : { since: this.#cursor };
    const item = { id: ID, topic, filter, replay, token: this.#tokens?.subscribe, ...since };
    const first = this.#cursor === undefined;
    this.#socket.timeout(ANSWER_MS).emit("subscribe", [item], (timeout: Error | null, reply: unknown) => {
      if (this.#closed) return;
      if (timeout !== null) return this.#socket.connected ? this.#reconnect() : undefined; // lost: `hello` comes again
      const answer = asObject(reply) as { results?: SubscribeResult[]; error?: unknown } | undefined;
      const result = answer?.results?.[0];
      if (result === undefined || "error" in result) return this.#refused(result?.error ?? answer?.error, () => this.#subscribe());
      this.#take(onAcked({ ...result, messages: result.messages ?? [] }), "subscribe", first);
      this.#settle.ready();
    });
  }

  #take({ cursor, deliver, resync }: Step, cause: string, replay: boolean = false): void {
    this.#cursor = cursor;
    if (resync) this.#options.onResync(cursor, cause);
    for (const message of deliver) {
      if (!this.#closed) this.#options.onMessage(cursor.epoch, message, replay);
    }
  }

  /** Shows fresh tokens for what is about to end. */
  #refresh(ids: readonly string[] | undefined): void {
    this.#options.mint().then(
      ({ connect, subscribe }) => {
        this.#socket.emit(
          "refresh",
          ids === undefined ? { token: connect } : { subscriptions: ids.map((id) => ({ id, token: subscribe })) },
        );
      },
      (error: unknown) => this.#fail(`No token could be signed: ${(error as Error).message}`),
    );
  }

  /** @param again what may succeed later */
  #refused(error: unknown, again: () => void): void {
    const refusal = parseWireError(error);
    const { retry, after } = refusal;
    if (retry === "never" || this.#closed) return this.#fail(wordsOf(error), refusal);
    // A token that was signed a moment ago is no better the next time, unless it was good before.
    if (retry === "refresh" && this.#cursor === undefined) {
      const guess = isAboutClocks(refusal) ? "do this machine's clock and the relay's differ?" : "is this the relay's APP_KEY?";
      return this.#fail(`${wordsOf(error)} (${guess})`, refusal);
    }
    this.#options.onTrouble(`${wordsOf(error)}: trying again`);
    this.#later(after, again);
  }

  #unconnected(error: Error & { data?: unknown }): void {
    const address = shownAddress(this.#options.url);
    if (asObject(error.data)?.code !== undefined) return this.#refused(error.data, () => void this.#socket.connect());
    // Socket.IO goes on by itself where the transport failed.
    if (this.#connected && this.#socket.active) return;
    this.#fail(`No relay answers at ${address} (${error.message}): start one with bellwire serve, or set REALTIME_PUBLIC_URL`);
  }

  #disconnected(reason: string): void {
    if (this.#closed) return;
    if (reason === "io server disconnect") return this.#fail(this.#lastWords ?? "The relay ended the connection");
    this.#options.onTrouble(`${this.#lastWords ?? `The connection is lost (${reason})`}: coming back`);
    this.#lastWords = undefined;
  }

  #reconnect(): void {
    this.#socket.disconnect().connect();
  }

  #later(after: number = AGAIN_MS, run: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, after);
  }

  #fail(sentence: string, refusal?: WireError): void {
    this.#end(new Failure(sentence, refusal));
  }

  #end(failure?: Failure): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket.disconnect();
    this.#settle.end(failure);
  }

  /** Idempotent; nothing is told afterwards. */
  close(): void {
    this.#end();
  }
}

function wordsOf(error: unknown): string {
  const { code, message } = parseWireError(error);
  return `${code}: ${message}`;
}

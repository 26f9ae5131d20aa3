import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import type { Position, SubscribeResult, WireMessage } from "@bellwire/protocol";
import { connectToken, subscribeToken } from "../support/tokens.js";
import { SITE } from "./relays.js";

export interface ClientOptions extends Partial<ManagerOptions & SocketOptions> {
  readonly url: string;
  readonly appKey: string;
}

export const TOPIC = "Contact_Updated_Topic";

/**
 * A bare Socket.IO client as one would write it in any language: it lets the library reconnect, subscribes to one topic on
 * each `hello`, from where it stood, and keeps what it hears.
 */
export class ReturningClient {
  readonly socket: Socket;
  /** `n` of each message's data, as they came. */
  readonly heard: number[] = [];
  /** How often it was admitted and subscribed. */
  arrivals = 0;
  resyncs = 0;
  readonly trouble: unknown[] = [];
  readonly #appKey: string;
  #cursor: Position | undefined;
  #live = false;

  constructor({ url, appKey, ...options }: ClientOptions) {
    this.#appKey = appKey;
    this.socket = io(`${url}/site/${SITE}`, {
      forceNew: true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 500,
      ...options,
      auth: (answer) => answer({ v: 1, token: connectToken(appKey, { site: SITE }) }),
    });
    this.socket.on("hello", () => void this.#subscribe().catch((error: unknown) => this.trouble.push(error)));
    this.socket.on("disconnect", () => {
      this.#live = false;
    });
    this.socket.on("messages", (_topic: string, epoch: string, batch: WireMessage[]) => {
      if (this.#live) this.#take(epoch, batch);
    });
    this.socket.on("resync", () => this.resyncs++);
  }

  get transport(): string {
    return this.socket.io.engine.transport.name;
  }

  get there(): boolean {
    return this.socket.connected && this.#live;
  }

  async #subscribe(): Promise<void> {
    const token = subscribeToken(this.#appKey, { site: SITE, grants: [{ topic: TOPIC, filter: {} }] });
    const since = this.#cursor === undefined ? {} : { since: this.#cursor };
    const item = { id: "1", topic: TOPIC, token, replay: false, ...since };
    const reply = (await this.socket.timeout(5000).emitWithAck("subscribe", [item])) as { results: SubscribeResult[] };
    const result = reply.results[0] as SubscribeResult;
    if ("error" in result) throw new Error(JSON.stringify(result.error));
    this.arrivals++;
    this.#live = true;
    if (result.resync) this.resyncs++;
    for (const [, , data] of result.messages) this.heard.push((data as { n: number }).n);
    this.#cursor = { epoch: result.epoch, offset: result.offset };
  }

  #take(epoch: string, batch: readonly WireMessage[]): void {
    for (const [offset, , data] of batch) {
      if (offset <= (this.#cursor as Position).offset) continue;
      this.heard.push((data as { n: number }).n);
      this.#cursor = { epoch, offset };
    }
  }

  close(): void {
    this.socket.disconnect();
  }
}

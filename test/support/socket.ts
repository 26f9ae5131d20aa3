import { io, type Socket } from "socket.io-client";
import type { Hello, ServerEvents, SubscribeItem, SubscribeResult, WireMessage } from "@bellwire/protocol";
import { connectToken, subscribeToken } from "./tokens.js";

export interface RawOptions {
  readonly url: string;
  readonly appKey: string;
  readonly site?: string;
  /** Instead of the site's. */
  readonly namespace?: string;
  readonly claims?: object;
  /** Instead of a token made from the claims. */
  readonly auth?: object;
  readonly path?: string;
  readonly transports?: string[];
  readonly extraHeaders?: Record<string, string>;
}

export interface Received {
  readonly topic: string;
  readonly epoch: string;
  readonly batch: readonly WireMessage[];
}

/** A bare Socket.IO client that speaks the wire contract, and keeps all that it hears. */
export class RawClient {
  readonly socket: Socket;
  readonly hello: Promise<Hello>;
  readonly received: Received[] = [];
  readonly resyncs: { topic: string; epoch: string; offset: number }[] = [];
  readonly #options: RawOptions;

  constructor(options: RawOptions) {
    this.#options = options;
    const { url, appKey, site = "5", claims = {}, auth, path = "/socket.io/", transports = ["websocket"], extraHeaders = {} } = options;
    this.socket = io(`${url}${options.namespace ?? `/site/${site}`}`, {
      path,
      transports,
      extraHeaders,
      forceNew: true,
      reconnection: false,
      auth: auth ?? { v: 1, token: connectToken(appKey, { site, ...claims }) },
    });
    this.hello = new Promise((resolve, reject) => {
      this.socket.once("hello", resolve);
      this.socket.once("connect_error", reject);
    });
    this.hello.catch(() => undefined);
    this.socket.on("messages", (topic: string, epoch: string, batch: WireMessage[]) => this.received.push({ topic, epoch, batch }));
    this.socket.on("resync", (positions: Parameters<ServerEvents["resync"]>[0]) => this.resyncs.push(...positions));
  }

  /** All live messages of a topic so far. */
  messages(topic: string): WireMessage[] {
    return this.received.filter((packet) => packet.topic === topic).flatMap((packet) => packet.batch);
  }

  async emit<T = Record<string, unknown>>(event: string, ...args: unknown[]): Promise<T> {
    return (await this.socket.timeout(10_000).emitWithAck(event, ...args)) as T;
  }

  /** Subscribes with a token that grants exactly what is asked for. */
  async subscribe(...items: (Partial<SubscribeItem> & { id: string; topic: string })[]): Promise<SubscribeResult[]> {
    const { site = "5", claims = {}, appKey } = this.#options;
    const grants = items.map(({ topic, filter = {} }) => ({ topic, filter }));
    const token = subscribeToken(appKey, { site, ...claims, grants });
    const reply = await this.emit<{ results: SubscribeResult[] }>(
      "subscribe",
      items.map((item) => ({ token, ...item })),
    );
    return reply.results;
  }

  /** Waits until a condition on what was heard holds; it is looked at anew after each packet, pings included. */
  until(condition: () => boolean, ms = 10_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (condition()) settle(resolve);
      };
      const later = (): void => void setImmediate(look);
      const settle = (end: () => void): void => {
        clearTimeout(timer);
        this.socket.offAny(later);
        end();
      };
      const timer = setTimeout(() => settle(() => reject(new Error("What the test waits for did not happen"))), ms);
      this.socket.onAny(later);
      look();
    });
  }

  close(): void {
    this.socket.disconnect();
  }
}

/** The error that a refused client finds in `err.data`. */
export async function refusal(client: RawClient): Promise<{ code: string; retry: string; message: string }> {
  try {
    await client.hello;
  } catch (error) {
    return (error as { data: { code: string; retry: string; message: string } }).data;
  } finally {
    client.close();
  }
  throw new Error("The client was admitted");
}

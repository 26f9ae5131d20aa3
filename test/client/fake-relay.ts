import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Server, type Socket } from "socket.io";
import type { Auth, JsonObject, SubscribeItem, WireError, WireMessage } from "@bellwire/protocol";

export interface TokenRequest {
  readonly subscriptions?: readonly { topic: string; filter: JsonObject }[];
}

type Ack = (reply: JsonObject) => void;
type Reply = { readonly status?: number; readonly body?: unknown } | undefined;

/** An ack's result as this relay gives it where a test says nothing else. */
export function confirmed(item: SubscribeItem, more: JsonObject = {}): JsonObject {
  const { epoch = "e1", offset = 10 } = item.since ?? {};
  return { id: item.id, epoch, offset, ticket: `ticket of ${item.id}`, messages: [], resync: false, ...more };
}

export function refused(item: SubscribeItem, code: string, retry: string, more: JsonObject = {}): JsonObject {
  return { id: item.id, error: { code, message: `${code}!`, retry, ...more } };
}

/** A relay and a token endpoint in a few lines: it does as told and remembers what it was asked. */
export class FakeRelay {
  /** What came in, in order. */
  readonly auths: Auth[] = [];
  readonly subscribes: SubscribeItem[][] = [];
  readonly unsubscribes: string[][] = [];
  readonly refreshes: JsonObject[] = [];
  readonly tokenRequests: TokenRequest[] = [];
  readonly sockets: Socket[] = [];

  /** What it answers; to be replaced by a test. */
  hello: JsonObject = { v: 1, user: "u1", session: null, ticket: "connection ticket", time: 0, limits: {}, features: [] };
  admit: (auth: Auth) => WireError | undefined = () => undefined;
  subscribe: (item: SubscribeItem) => JsonObject = (item) => confirmed(item);
  /** Undefined: as usual. May be awaited. */
  answer: (request: TokenRequest) => Reply | Promise<Reply> = () => undefined;
  /** Who is there, as it tells who asks. */
  present: JsonObject = { users: [{ user: "u1" }], count: 3 };
  /** What a browser sees at `/`. */
  page: string | undefined;
  /** False: `subscribe` frames get no ack. */
  acks = true;

  readonly #http = createServer((request, response) => void this.#serve(request, response));
  readonly #io = new Server(this.#http, { serveClient: false });
  #tokens = 0;

  static async start(): Promise<FakeRelay> {
    const relay = new FakeRelay();
    await new Promise<void>((resolve) => relay.#http.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  constructor() {
    this.#io
      .of(/^\/site\/.+$/)
      .use((socket, next) => {
        this.auths.push(socket.handshake.auth as Auth);
        const error = this.admit(socket.handshake.auth as Auth);
        next(error === undefined ? undefined : Object.assign(new Error(error.message), { data: error }));
      })
      .on("connection", (socket) => this.#welcome(socket));
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}/realtime`;
  }

  /** The connection made last. */
  get socket(): Socket {
    return this.sockets.at(-1) as Socket;
  }

  messages(topic: string, ...batch: readonly WireMessage[]): void {
    this.socket.emit("messages", topic, "e1", batch);
  }

  /** Breaks the connection as a network does. */
  cut(): void {
    this.socket.conn.close(true);
  }

  async stop(): Promise<void> {
    this.#http.closeAllConnections();
    await this.#io.close();
  }

  #welcome(socket: Socket): void {
    this.sockets.push(socket);
    socket.emit("hello", { ...this.hello, client: (socket.handshake.auth as Auth).client });
    socket.on("subscribe", (items: SubscribeItem[], ack: Ack) => {
      this.subscribes.push(items);
      if (this.acks) ack({ results: items.map((item) => this.subscribe(item)) });
    });
    socket.on("unsubscribe", (ids: string[], ack: Ack) => {
      this.unsubscribes.push(ids);
      ack({});
    });
    socket.on("refresh", (request: JsonObject, ack: Ack) => {
      this.refreshes.push(request);
      ack({});
    });
    socket.on("publish", ({ topic }: { topic: string }, ack: Ack) => {
      if (topic === "Closed") ack({ error: { code: "forbidden", message: "no", retry: "never" } });
      else if (topic !== "Silent") ack({ epoch: "e1", offset: 11 });
    });
    socket.on("rpc", ({ method, data }: { method: string; data: unknown }, ack: Ack) => ack({ status: 201, data: { method, data } }));
    socket.on("presence", (_query: unknown, ack: Ack) => ack(this.present));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === "/" && this.page !== undefined) {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(this.page);
      return;
    }
    if (request.url !== "/realtime") return;
    let text = "";
    for await (const chunk of request) text += chunk;
    const asked = JSON.parse(text) as TokenRequest;
    this.tokenRequests.push(asked);
    const number = ++this.#tokens;
    const usual = {
      enabled: true,
      url: this.url,
      site: "s1",
      token: `token ${number}`,
      ...(asked.subscriptions === undefined ? {} : { subscribeToken: `subscribe token ${number}`, results: asked.subscriptions }),
    };
    const { status = 200, body = usual } = (await this.answer(asked)) ?? {};
    response.writeHead(status, { "content-type": "application/json", "access-control-allow-origin": "*" });
    response.end(JSON.stringify(body));
  }
}

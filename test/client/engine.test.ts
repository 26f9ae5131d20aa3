import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { Client, ClientOptions } from "@bellwire/client";
import { FakeRelay } from "./fake-relay.js";
import { QUICK, state, until } from "./setup.js";

/** The engine that the script tag's bundle has in place of engine.io-client, over polling: Node need not have WebSocket. */
describe("the bundle's engine", function () {
  this.timeout(20_000);
  const globals = globalThis as { WebSocket?: unknown };
  const native = globals.WebSocket;
  let createClient: (options: ClientOptions) => Client;
  let client: Client | undefined;
  let end: (() => unknown) | undefined;

  before(async () => {
    // Built by the tests of the bundle, and by `npm run build`.
    const file = fileURLToPath(new URL("../../client/dist/bundle/client.mjs", import.meta.url));
    ({ createClient } = (await import(file)) as { createClient: typeof createClient });
  });
  beforeEach(() => delete globals.WebSocket);
  afterEach(async () => {
    client?.close();
    await end?.();
    if (native !== undefined) globals.WebSocket = native;
  });

  /** A relay by hand: it shakes hands, and then does as told with what is asked. */
  async function byHand(answer: (request: IncomingMessage, body: string) => string | undefined): Promise<string> {
    const server: Server = createServer((request, response) => {
      void (async () => {
        let body = "";
        for await (const chunk of request) body += chunk;
        const text = answer(request, body);
        if (text !== undefined) response.end(text);
      })();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    end = () => {
      server.closeAllConnections();
      server.close();
    };
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  const hands = (more: object): string =>
    `0${JSON.stringify({ sid: "x", upgrades: [], pingInterval: 25_000, pingTimeout: 20_000, ...more })}`;

  it("cuts what goes out at once to what the relay takes", async () => {
    const relay = await FakeRelay.start();
    end = () => relay.stop();
    const own = createClient({ endpoint: relay.endpoint, onError: () => {} });
    client = own;
    own.connect();
    await state(own, "connected");
    const text = "\u{1F514}".repeat(15_000);
    const calls = Array.from({ length: 30 }, (_, i) => own.rpc("ping", { i, text }));
    expect((await Promise.all(calls)).map(({ data }) => (data as { data: { i: number } }).data.i)).to.deep.equal(calls.map((_, i) => i));
    expect(relay.sockets).to.have.length(1);
  });

  it("ends a connection that the relay has stopped to ping", async () => {
    let polls = 0;
    const url = await byHand(({ method, url: path }) => {
      if (method === "POST") return "ok";
      if (!path?.includes("sid=")) return hands({ pingInterval: 20, pingTimeout: 20 });
      return ++polls === 1 ? '40/site/s1,{"sid":"y"}\x1e42/site/s1,["hello",{}]' : undefined;
    });
    client = createClient({ url, site: "s1", token: "t", reconnect: { delays: [60_000], random: () => 1 }, onError: () => {} });
    client.connect();
    await state(client, "connected");
    await state(client, "waiting");
    expect(client.error?.message).to.contain("ping timeout");
  });

  it("closes the relay's session where it is given up while it opens", async () => {
    let release: (text: string) => void = () => {};
    const closed: string[] = [];
    const server = createServer((request, response) => {
      if (request.method === "GET") release = (text) => response.end(text);
      else {
        closed.push(request.url ?? "");
        response.end("ok");
      }
      request.resume();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    end = () => {
      server.closeAllConnections();
      server.close();
    };
    const asked = once(server, "request");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    client = createClient({ url, site: "s1", token: "t", reconnect: QUICK, onError: () => {} });
    client.connect();
    await asked;
    client.close();
    release(hands({}));
    await until(() => closed.length === 1);
    expect(closed[0]).to.match(/^\/socket\.io\/\?EIO=4&transport=polling&sid=x&t=/);
  });
});

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { WebSocket, WebSocketServer } from "ws";
import { createLogger, createRelay, type RelayInProcess } from "@bellwire/server";
import { RawClient } from "../support/socket.js";
import { Stage } from "./stage.js";

const APP_KEY = "k".repeat(40);

describe("a relay in the application's server", () => {
  const stage = Stage.forEachTest();

  interface Host {
    readonly server: Server;
    readonly url: string;
    /** What a path's answer says. */
    readonly text: (path: string) => Promise<string>;
  }

  async function host(): Promise<Host> {
    const server = createServer((request, response) => response.end(`the application at ${request.url}`));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    stage.closeLater(() => {
      server.close();
      server.closeAllConnections();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return { server, url, text: async (path) => (await fetch(url + path)).text() };
  }

  async function start(server: Server, publicUrl?: string): Promise<{ relay: RelayInProcess; lines: string[] }> {
    const lines: string[] = [];
    const relay = createRelay({
      server,
      env: { APP_KEY, REALTIME_API_KEY: "a".repeat(20), ...(publicUrl === undefined ? {} : { REALTIME_PUBLIC_URL: publicUrl }) },
      logger: createLogger({ sentences: true, write: (line) => lines.push(line) }),
      hooks: { connect: () => ({ user: "ann" }) },
    });
    stage.closeLater(() => relay.close());
    await relay.start();
    return { relay, lines };
  }

  async function connects(url: string, path = "/socket.io/"): Promise<void> {
    for (const transports of [["websocket"], ["polling"]]) {
      const client = new RawClient({ url, appKey: APP_KEY, auth: { v: 1 }, path, transports });
      try {
        expect((await client.hello).user, `${transports[0]} at ${path}`).to.equal("ann");
      } finally {
        client.close();
      }
    }
  }

  it("answers below /bellwire, and clients without a path, and leaves the server as it was", async () => {
    const { server, url, text } = await host();
    const { relay } = await start(server);
    expect(await text("/bellwire/v1/openapi.json")).to.match(/"openapi":"3.1/);
    expect(await text("/bellwire/healthz")).to.equal('{"status":"alive"}');
    expect((await fetch(`${url}/bellwire/v1/sites/5/publish`)).status, "a method that it does not offer").to.equal(405);
    await connects(url);
    await connects(url, "/bellwire/socket.io/");
    await relay.close();
    expect(await text("/bellwire/v1/openapi.json")).to.equal("the application at /bellwire/v1/openapi.json");
    expect(await text("/socket.io/?EIO=4&transport=polling")).to.match(/^the application/);
    expect([server.listening, server.listenerCount("request"), server.listenerCount("upgrade")]).to.deep.equal([true, 1, 0]);
  });

  it("shadows no route of the application, at the root or below its own path", async () => {
    const { server, text } = await host();
    await start(server);
    const mine = ["/", "/v1/", "/v1/openapi.json", "/v1/users?x=/bellwire/v1/counts", "/client.js", "/healthz", "/metrics", "/socket.io"];
    const below = ["/bellwire", "/bellwire/", "/bellwire/about", "/bellwire/v1/users", "/bellwire/v1/sites/5/users", "/bellwires/healthz"];
    for (const path of [...mine, ...below]) expect(await text(path), path).to.equal(`the application at ${path}`);
  });

  it("answers below the path of the public URL alone, where the rest may be the application", async () => {
    const { server, url, text } = await host();
    await start(server, "wss://example.com/app");
    await connects(url, "/app/socket.io/");
    expect(await text("/app/healthz")).to.equal('{"status":"alive"}');
    for (const path of [
      "/app",
      "/app/",
      "/app/contacts/5",
      "/app/v1/contacts",
      "/socket.io/?EIO=4&transport=polling",
      "/bellwire/healthz",
    ]) {
      expect(await text(path), path).to.equal(`the application at ${path}`);
    }
  });

  it("leaves WebSockets to an application that takes them, and says where it is itself", async () => {
    const { server, url } = await host();
    const sockets = new WebSocketServer({ server });
    sockets.on("connection", (socket) => socket.send("the application"));
    stage.closeLater(() => sockets.close());
    const { relay, lines } = await start(server);
    expect(lines.join("\n")).to.include("under /bellwire only").and.to.include("REALTIME_PUBLIC_URL");
    const greeted = async (path: string): Promise<string> => {
      const socket = new WebSocket(url.replace("http", "ws") + path);
      stage.closeLater(() => socket.terminate());
      const [data] = (await once(socket, "message")) as [Buffer];
      return String(data);
    };
    for (const path of ["/live", "/socket.io/?EIO=4&transport=websocket", "/bellwire/live"]) {
      expect(await greeted(path), path).to.equal("the application");
    }
    await connects(url, "/bellwire/socket.io/");
    await relay.close();
    expect(await greeted("/bellwire/socket.io/"), "as it was").to.equal("the application");
  });
});

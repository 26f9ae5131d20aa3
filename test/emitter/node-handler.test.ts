import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect } from "chai";
import { createTokenEndpoint, defineTopic, toNodeHandler } from "@bellwire/emitter";

const endpoint = createTokenEndpoint({
  key: "k".repeat(32),
  url: "ws://localhost:6200",
  topics: [defineTopic("a", () => true)],
  authenticate: (request, req) => ({ site: "5", user: request.headers.get("x-user") ?? (req as { user?: string } | undefined)?.user }),
});

describe("the Node adapter", () => {
  let server: Server;
  let url: string;
  const serve = async (listener: (req: IncomingMessage, res: ServerResponse) => void): Promise<void> => {
    server = createServer(listener).listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  const json = { "content-type": "application/json", "x-user": "ann" };

  it("serves the endpoint with node:http", async () => {
    await serve(toNodeHandler(endpoint));
    const response = await fetch(url, { method: "POST", headers: json, body: JSON.stringify({ subscriptions: [{ topic: "a" }] }) });
    expect(response.status).to.equal(200);
    expect(response.headers.get("cache-control")).to.equal("no-store");
    expect(await response.json()).to.deep.include({ site: "5", results: [{ topic: "a", filter: {} }] });
    expect((await fetch(url)).status).to.equal(401);
    expect((await fetch(url, { method: "HEAD" })).status).to.equal(405);
  });

  const parsers: [string, (body: string) => unknown][] = [
    ["an object", (body) => JSON.parse(body)],
    ["a text", (body) => body],
    ["a buffer", (body) => Buffer.from(body)],
  ];
  for (const [what, parse] of parsers) {
    it(`takes a body that a parser has read before as ${what}, and hands on Node's own request`, async () => {
      const handler = toNodeHandler(endpoint);
      await serve((req, res) => {
        void text(req).then((body) => handler(Object.assign(req, { body: parse(body), user: "ben", originalUrl: "/api/realtime" }), res));
      });
      const body = JSON.stringify({ subscriptions: [{ topic: "a" }] });
      const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
      expect(await response.json()).to.have.nested.property("results[0].topic", "a");
    });
  }

  it("refuses a body that is too large while it still comes", async () => {
    await serve(toNodeHandler(endpoint));
    const req = httpRequest(url, { method: "POST", headers: json });
    req.on("error", () => undefined); // the server may close before all is written
    req.write(Buffer.alloc(300 * 1024, 32));
    const [response] = (await once(req, "response")) as [IncomingMessage];
    expect(response.statusCode).to.equal(413);
    expect(JSON.parse(await text(response))).to.have.nested.property("error.code", "too-large");
    req.destroy();
  });

  it("survives a browser that goes away, and one that lies about its host", async () => {
    await serve(toNodeHandler(endpoint));
    const { port } = server.address() as AddressInfo;
    const gone = connect(port, "127.0.0.1");
    gone.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{");
    const [req] = (await once(server, "request")) as [IncomingMessage];
    gone.destroy();
    await new Promise((resolve) => req.on("close", resolve));

    const liar = connect(port, "127.0.0.1");
    liar.write("GET / HTTP/1.1\r\nHost: %%%:/\r\nX-User: ann\r\nConnection: close\r\n\r\n");
    expect(await text(liar)).to.match(/^HTTP\/1.1 200 /);
  });

  it("answers 500 where the handler itself fails", async () => {
    await serve(toNodeHandler(() => Promise.reject(new Error("mine"))));
    const response = await fetch(url);
    expect([response.status, await response.text()]).to.deep.equal([500, ""]);
  });

  it("hands on every cookie that a handler sets", async () => {
    const headers = new Headers({ "x-one": "1" });
    headers.append("set-cookie", "a=1");
    headers.append("set-cookie", "b=2");
    await serve(toNodeHandler(async () => new Response("ok", { status: 201, headers })));
    const response = await fetch(url);
    expect([response.status, await response.text(), response.headers.get("x-one")]).to.deep.equal([201, "ok", "1"]);
    expect(response.headers.getSetCookie()).to.deep.equal(["a=1", "b=2"]);
  });
});

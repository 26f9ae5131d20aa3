import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { expect } from "chai";
import { chromium, type Browser, type Page } from "playwright-core";
import { createEmitter, createTokenEndpoint, defineTopic, toNodeHandler, type Emitter } from "@bellwire/emitter";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { Hole } from "../client/hole.js";
import { requires } from "../house/requires.js";
import { socketsOf } from "../support/relay-sockets.js";

describe("a session in a page", function () {
  this.timeout(60_000);
  let browser: Browser;
  let relay: TestRelay;
  let backend: Server;
  let hole: Hole;
  let emitter: Emitter;
  /** Who is signed in. A number: what the endpoint answers instead. */
  let signedIn: string | number;
  let asked = 0;

  before(async function () {
    const program = requires("chromium", this);
    relay = await createTestRelay();
    hole = await Hole.open(relay.port);
    emitter = createEmitter({ url: relay.httpUrl, apiKey: relay.apiKey });
    const tokens = toNodeHandler(
      createTokenEndpoint({
        key: relay.appKey,
        url: `ws://127.0.0.1:${hole.port}`,
        topics: [defineTopic("Contact", { canSubscribe: () => true })],
        authenticate: () => ({ site: "5", user: String(signedIn) }),
      }),
    );
    const page = `<!doctype html>
      <script src="http://127.0.0.1:${relay.port}/client.js" data-endpoint="/realtime"></script>
      <script>
        window.heard = [];
        const hear = (name) => (event) => heard.push([name, event.resync ? "resync" : event.data.text]);
        bellwire.subscribe("Contact", {id: 7}, hear("first")).ready.then(() => (window.ready = true));
      </script>`;
    backend = createServer((request, response) => {
      if (request.url !== "/realtime") return void response.setHeader("content-type", "text/html").end(page);
      asked++;
      if (typeof signedIn === "number") return void response.writeHead(signedIn).end();
      tokens(request, response);
    });
    backend.listen(0, "127.0.0.1");
    await once(backend, "listening");
    browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-background-networking"] });
  });
  after(async () => {
    await browser?.close();
    await emitter?.close();
    hole?.close();
    backend?.closeAllConnections();
    backend?.close();
    await relay?.close();
  });

  async function open(): Promise<Page> {
    signedIn = "ann";
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(backend.address() as { port: number }).port}/`);
    await page.waitForFunction("window.ready");
    return page;
  }

  const cut = (): void => {
    for (const { conn } of socketsOf(relay.relay)) conn.close();
  };

  it("is whole again soon after a network that swallowed everything, though an attempt hangs in it", async () => {
    const page = await open();
    hole.swallows = true;
    const before = hole.swallowed;
    cut();
    while (hole.swallowed === before) await new Promise((resolve) => setTimeout(resolve, 10));
    await emitter.site("5").publish("Contact", { id: 7, text: "missed" });
    hole.swallows = false;
    await page.evaluate("dispatchEvent(new Event('online'))");
    // An attempt that is left to itself takes longer.
    await page.waitForFunction("heard.some(([, text]) => text === 'missed')", undefined, { timeout: 8000 });
    expect(await page.evaluate("heard")).to.deep.equal([["first", "missed"]]);
    await page.close();
  });

  it("leaves nothing to who signs in next, and tells them to fetch", async () => {
    const page = await open();
    await emitter.site("5").publish("Contact", { id: 7, text: "for ann" });
    await page.waitForFunction("heard.some(([, text]) => text === 'for ann')");
    await page.evaluate("bellwire.close()");
    signedIn = 403;
    await page.evaluate("heard.length = 0; bellwire.connect(); bellwire.subscribe('Contact', {id: 7}, hear('second'))");
    const before = asked;
    while (asked < before + 2) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await page.evaluate("[heard, bellwire.user ?? 'nobody']")).to.deep.equal([[], "nobody"]);
    signedIn = "ben";
    await page.waitForFunction("heard.length === 2", undefined, { timeout: 20_000 });
    expect(await page.evaluate("[heard, bellwire.user]")).to.deep.equal([
      [
        ["first", "resync"],
        ["second", "resync"],
      ],
      "ben",
    ]);
    await page.close();
  });

  it("that ended without close() is off with its reason, and noticed when somebody else is there", async () => {
    const page = await open();
    const warnings: string[] = [];
    page.on("console", (message) => message.type() === "warning" && warnings.push(message.text()));
    signedIn = 401;
    await page.evaluate("heard.length = 0");
    for (const socket of socketsOf(relay.relay)) socket.emit("bye", { code: "token-expired", message: "", retry: "refresh" });
    await page.waitForFunction("bellwire.state === 'off'");
    expect(await page.evaluate("bellwire.error.message")).to.match(/^The token endpoint answered 401: nobody is signed in/);
    signedIn = "ben";
    await page.evaluate("dispatchEvent(new Event('online'))");
    await page.waitForFunction("heard.length > 0 && bellwire.user === 'ben'", undefined, { timeout: 8000 });
    expect(await page.evaluate("heard")).to.deep.equal([["first", "resync"]]);
    expect(warnings).to.have.length(1);
    await page.close();
  });
});

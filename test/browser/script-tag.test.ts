import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { expect } from "chai";
import { chromium, type Browser } from "playwright-core";
import { createEmitter, createTokenEndpoint, defineTopic, toNodeHandler } from "@bellwire/emitter";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";

describe("the bundle from a script tag", function () {
  this.timeout(60_000);
  let browser: Browser;
  let relay: TestRelay;
  let backend: Server;

  before(async function () {
    const program = requires("chromium", this);
    relay = await createTestRelay();
    const tokens = toNodeHandler(
      createTokenEndpoint({
        key: relay.appKey,
        url: `ws://127.0.0.1:${relay.port}`,
        topics: [defineTopic("Contact", { canSubscribe: () => true })],
        authenticate: () => ({ site: "5", user: "ann" }),
      }),
    );
    const page = `<!doctype html>
      <script src="http://127.0.0.1:${relay.port}/client.js" data-endpoint="/realtime"></script>
      <script>
        window.heard = [];
        bellwire.subscribe("Contact", {id: 7}, (message) => heard.push(message.data.id)).ready.then(() => (window.ready = true));
      </script>`;
    backend = createServer((request, response) => {
      if (request.url === "/realtime") return tokens(request, response);
      response.setHeader("content-type", "text/html").end(page);
    });
    backend.listen(0, "127.0.0.1");
    await once(backend, "listening");
    browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-background-networking"] });
  });
  after(async () => {
    await browser?.close();
    backend?.closeAllConnections();
    backend?.close();
    await relay?.close();
  });

  it("is a client of the page's endpoint without a build step", async () => {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    await page.goto(`http://127.0.0.1:${(backend.address() as { port: number }).port}/`);
    await page.waitForFunction("window.ready");
    const emitter = createEmitter({ url: relay.httpUrl, apiKey: relay.apiKey });
    for (const id of [6, 7]) await emitter.site("5").publish("Contact", { id });
    await page.waitForFunction("heard.length > 0");
    expect(await page.evaluate("heard")).to.deep.equal([7]);
    expect(problems).to.deep.equal([]);
    await emitter.close();
  });
});

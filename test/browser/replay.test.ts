import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { chromium, type Browser, type Page } from "playwright-core";
import { createEmitter, createTokenEndpoint, defineTopic, toNodeHandler, type Emitter } from "@bellwire/emitter";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";

/** In the page: subscribes to what `stayed` publishes. */
const STAYS = `
  const stay = () => bellwire.subscribe("Contact", {id: 9}, () => (window.stays = true), {replay: false}).ready.then(() => (window.up = true));
  const reload = () => { window.leaves = true; location.reload(); };
  const stayUnlessLeaving = () => window.leaves || stay();`;

/** Pages as people write them, with a message in the log from before they load. */
describe("a replay in a browser", function () {
  this.timeout(60_000);
  let browser: Browser;
  let relay: TestRelay;
  let backend: Server;
  let emitter: Emitter;
  let script = "";
  let loads: number;
  let warnings: string[];
  let page: Page;

  before(async function () {
    const program = requires("chromium", this);
    relay = await createTestRelay();
    emitter = createEmitter({ url: relay.httpUrl, apiKey: relay.apiKey });
    const tokens = toNodeHandler(
      createTokenEndpoint({
        key: relay.appKey,
        url: `ws://127.0.0.1:${relay.port}`,
        topics: [defineTopic("Contact", { canSubscribe: () => true })],
        authenticate: () => ({ site: "5", user: "ann" }),
      }),
    );
    backend = createServer((request, response) => {
      if (request.url === "/realtime") return tokens(request, response);
      if (request.url === "/") loads++;
      response.setHeader("content-type", "text/html").end(`<!doctype html><link rel="icon" href="data:,">
        <script src="http://127.0.0.1:${relay.port}/client.js" data-endpoint="/realtime"></script><script>window.load = ${loads};${STAYS}${script}</script>`);
    });
    backend.listen(0, "127.0.0.1");
    await once(backend, "listening");
    browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-background-networking"] });
    await emitter.site("5").publish("Contact", { id: 7 });
  });
  afterEach(() => page.context().close());
  after(async () => {
    await browser?.close();
    await emitter?.close();
    backend?.closeAllConnections();
    backend?.close();
    await relay?.close();
  });

  async function open(source: string): Promise<void> {
    script = source;
    loads = 0;
    warnings = [];
    page = await (await browser.newContext()).newPage();
    page.on("console", (message) => message.type() === "warning" && warnings.push(message.text()));
    await page.goto(`http://127.0.0.1:${(backend.address() as AddressInfo).port}/`);
  }

  /** Tells the page that is loaded now something: whatever else it would have done by then, it has done. */
  async function stayed(): Promise<void> {
    await page.waitForFunction(`window.load >= ${loads} && window.up`);
    await emitter.site("5").publish("Contact", { id: 9 });
    await page.waitForFunction("window.stays");
  }

  it("that makes the page load again is warned of once, and then held back", async () => {
    await open(`
      bellwire.subscribe("Contact", {id: 7}, reload).ready.then(stayUnlessLeaving);`);
    await stayed();
    expect(loads).to.equal(5);
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/^bellwire: .*"Contact".*\{replay: "page"\}/);
    // A live message is told as ever.
    await emitter.site("5").publish("Contact", { id: 7 });
    while (loads < 6) await new Promise((resolve) => setTimeout(resolve, 10));
    // Closed in the middle of a load, Chromium would wait for ever.
    await page.waitForFunction("window.load >= 6 && window.up");
  });

  it('is none where the page wants what is younger than itself: {replay: "page"}', async () => {
    await open(`
      bellwire.subscribe("Contact", {id: 7}, reload, {replay: "page"}).ready.then(stayUnlessLeaving);`);
    await stayed();
    expect(loads).to.equal(1);
    await emitter.site("5").publish("Contact", { id: 7 });
    while (loads < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    await stayed();
    // Once more at most: a page that loads in the same moment may be told what is as old as itself.
    expect(loads).to.be.at.most(3);
    expect(warnings).to.deep.equal([]);
  });

  it("is told once to a callback that unsubscribes and subscribes again, and tells its age", async () => {
    await open(`
      window.heard = [];
      const watch = () => {
        const handle = bellwire.subscribe("Contact", {id: 7}, (message) => {
          heard.push(message);
          handle.unsubscribe();
          watch();
        });
        return handle;
      };
      watch().ready.then(stay);`);
    await stayed();
    expect(await page.evaluate("heard.map(({data, replay, age}) => [data.id, replay, age >= 0 && age < 60000])")).to.deep.equal([
      [7, true, true],
    ]);
    await emitter.site("5").publish("Contact", { id: 7 });
    await page.waitForFunction("heard.length === 2");
    expect(await page.evaluate("[heard[1].replay, heard[1].age]")).to.deep.equal([false, undefined]);
  });

  it("carries emoji and a lone surrogate to one of the 500 subscriptions of a page", async () => {
    await open(`
      window.heard = [];
      Promise.all(Array.from({length: 500}, (_, n) => bellwire.subscribe("Contact", {n}, ({data}) => heard.push(data)).ready))
        .then(() => (window.ready = true));`);
    await page.waitForFunction("window.ready");
    const data = { n: 499, text: "\u{1F514}\u{1F468}\u200D\u{1F469}", m: { data: "lone \ud800 surrogate" } };
    await emitter.site("5").publish("Contact", data);
    await page.waitForFunction("heard.length > 0");
    expect(await page.evaluate("heard")).to.deep.equal([data]);
    expect(await page.evaluate("bellwire.state")).to.equal("connected");
  });
});

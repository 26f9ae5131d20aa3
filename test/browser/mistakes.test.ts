import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { chromium, type Browser, type Page } from "playwright-core";
import { createTokenEndpoint, defineTopic, toNodeHandler } from "@bellwire/emitter";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";

/** What somebody meets in the first hour: each mistake says in the page's console what it is, once. */
describe("a mistake in the first hour, in a browser's console", function () {
  this.timeout(60_000);
  let browser: Browser;
  let relay: TestRelay;
  let backend: Server;
  let endpoint: RequestListener;
  let lines: { type: string; text: string }[];
  let page: Page;

  before(async function () {
    const program = requires("chromium", this);
    relay = await createTestRelay();
    backend = createServer((request, response) => {
      if (request.url === "/realtime") return endpoint(request, response);
      response.setHeader("content-type", "text/html").end(`<!doctype html>
        <script src="http://127.0.0.1:${relay.port}/client.js"></script>
        <script>
          const client = bellwire.createClient({endpoint: "/realtime", reconnect: {delays: [20]}});
          const one = client.subscribe("Contact", {id: 7}, () => {});
          client.subscribe("Contact", {id: 8}, () => {});
        </script>`);
    });
    backend.listen(0, "127.0.0.1");
    await once(backend, "listening");
    browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-background-networking"] });
  });
  afterEach(() => page.close());
  after(async () => {
    await browser?.close();
    backend?.closeAllConnections();
    backend?.close();
    await relay?.close();
  });

  /** An endpoint as the quick start has it, but for what is wrong. */
  const tokens = (wrong: { key?: string; canSubscribe?: () => boolean; authenticate?: () => never }): RequestListener =>
    toNodeHandler(
      createTokenEndpoint({
        key: wrong.key ?? relay.appKey,
        url: `ws://127.0.0.1:${relay.port}`,
        topics: [defineTopic("Contact", { canSubscribe: wrong.canSubscribe ?? (() => true) })],
        authenticate: wrong.authenticate ?? (() => ({ site: "5", user: "ann" })),
        onError: () => {},
      }),
    );

  /** Opens the page and waits until the endpoint was asked `attempts` times. */
  async function meet(wrong: RequestListener, attempts = 6): Promise<void> {
    let asked = 0;
    endpoint = (request, response) => {
      asked++;
      wrong(request, response);
    };
    page = await browser.newPage();
    lines = [];
    page.on("console", (message) => lines.push({ type: message.type(), text: message.text() }));
    await page.goto(`http://127.0.0.1:${(backend.address() as AddressInfo).port}/`);
    await page.waitForFunction("one.error !== undefined");
    while (asked < attempts && !(await page.evaluate("one.state === 'failed'"))) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  const warnings = (): string[] => lines.filter(({ type }) => type === "warning").map(({ text }) => text);
  const seen = (expression: string): Promise<unknown> => page.evaluate(expression);

  it("an APP_KEY that is not the relay's", async () => {
    await meet(tokens({ key: "another key that is long enough for the relay to take" }));
    expect(warnings()).to.have.length(1);
    expect(warnings()[0]).to.match(/^bellwire: "Contact": .*APP_KEY.*token-invalid/);
    expect(await seen("[client.error.code, one.state, one.error.code]")).to.deep.equal(["token-invalid", "pending", "token-invalid"]);
    // Mended while the page is open.
    endpoint = tokens({});
    await page.waitForFunction("one.state === 'subscribed'");
    expect(await seen("[client.state, client.error, one.error]")).to.deep.equal(["connected", undefined, undefined]);
  });

  it("an endpoint that is not there", async () => {
    await meet((_, response) => response.writeHead(404).end("Not here"));
    expect(warnings()).to.have.length(1);
    expect(warnings()[0]).to.match(/^bellwire: "Contact": .*404.*`endpoint`/);
    expect(await seen("[client.error.code, one.error.code]")).to.deep.equal(["unavailable", "unavailable"]);
  });

  it("an endpoint that throws", async () => {
    await meet(
      tokens({
        authenticate: () => {
          throw new Error("no session");
        },
      }),
    );
    expect(warnings()).to.have.length(1);
    expect(warnings()[0]).to.match(/^bellwire: "Contact": .*log of backend/);
    expect(await seen("[client.error.code, one.error.code]")).to.deep.equal(["internal", "internal"]);
  });

  it("a topic's rule that throws", async () => {
    await meet(
      tokens({
        canSubscribe: () => {
          throw new Error("rule");
        },
      }),
    );
    expect(warnings()).to.have.length(1);
    expect(warnings()[0]).to.match(/^bellwire: "Contact": .*log of backend/);
    expect(await seen("[client.state, one.state, one.error.code, one.error.topic]")).to.deep.equal([
      "connected",
      "pending",
      "internal",
      "Contact",
    ]);
  });

  it("a topic's rule that refuses, or is not there", async () => {
    await meet(tokens({ canSubscribe: () => false }));
    expect(warnings()).to.have.length(1);
    expect(warnings()[0]).to.match(/^bellwire: "Contact": .*the topic's rule.*forbidden/);
    expect(await seen("[one.state, one.error.code]")).to.deep.equal(["failed", "forbidden"]);
  });
});

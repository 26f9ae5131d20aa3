import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { chromium, type Browser, type Page } from "playwright-core";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { stablePort } from "../support/stable-port.js";
import { connectToken, now } from "../support/tokens.js";
import { publish } from "../server/stage.js";
import { TestRedis } from "../support/redis.js";

const APP_KEY = "k".repeat(40);
const TOPIC = "Contact_Updated_Topic";

describe("EventSource in a page", function () {
  this.timeout(60_000);
  let browser: Browser;
  let redis: TestRedis;
  let relay: TestRelay;
  let backend: Server;
  let page: Page;
  let env: NodeJS.ProcessEnv;
  /** Of the tokens that the backend gives, in seconds. */
  let life = 60;
  let asked = 0;

  before(async function () {
    const program = requires("chromium", this);
    requires("redis-server", this);
    redis = await TestRedis.start();
    env = { APP_KEY, REDIS_URL: redis.url, REALTIME_WS_PORT: String(await stablePort()), REALTIME_API_KEY: "a".repeat(24) };
    relay = await createTestRelay({ env });
    const docs = await readFile(new URL("../../docs/http-api.md", import.meta.url), "utf8");
    const code = /```js\n([^]*?)\n```/.exec(docs)?.[1] as string;
    const html = `<!doctype html><script>
      const relay = "${relay.httpUrl}";
      window.heard = [];
      const refetch = (data) => heard.push(data.offset ?? "resync");
      ${code}
      listen();
    </script>`;
    backend = createServer((request, response) => {
      if (request.url !== "/realtime") return void response.setHeader("content-type", "text/html").end(html);
      asked++;
      response.end(JSON.stringify({ token: connectToken(APP_KEY, { grants: [{ topic: "*" }], exp: now() + life }) }));
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
    await redis?.stop();
  });

  const heard = (count: number): Promise<unknown> => page.waitForFunction(`heard.length >= ${count}`, undefined, { timeout: 20_000 });

  async function restart(meanwhile: () => Promise<void>): Promise<void> {
    await relay.close();
    await meanwhile();
    relay = await createTestRelay({ env });
  }

  it("hears what matches, and comes back by itself to another run of the relay with what it missed", async () => {
    page = await browser.newPage();
    await page.goto(`http://localhost:${(backend.address() as AddressInfo).port}/`);
    await page.waitForFunction("lastEventId !== ''");
    for (const id of [5, 6, 5]) await publish(relay, TOPIC, { id });
    await heard(2);
    await restart(async () => undefined);
    for (const id of [6, 5]) await publish(relay, TOPIC, { id });
    await heard(3);
    expect(await page.evaluate("heard")).to.deep.equal([1, 3, 5]);
    expect(asked, "with the token that it had").to.equal(1);
  });

  it("is given up by the browser when its token is too old, and goes on with a new one where it was", async () => {
    await page.close();
    life = 1;
    page = await browser.newPage();
    await page.goto(`http://localhost:${(backend.address() as AddressInfo).port}/`);
    await page.waitForFunction("heard.length === 1"); // the last one, replayed
    const before = asked;
    life = 60;
    await restart(() => new Promise((resolve) => setTimeout(resolve, 1500)));
    await publish(relay, TOPIC, { id: 5 });
    await publish(relay, TOPIC, { id: 5 });
    await heard(3);
    expect(await page.evaluate("heard")).to.deep.equal([5, 6, 7]);
    expect(asked).to.be.greaterThan(before);
  });
});

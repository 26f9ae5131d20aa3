import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { chromium, type Browser, type Page } from "playwright-core";
import { until, useStage } from "../client/setup.js";
import { requires } from "../house/requires.js";
import { snippets } from "../support/components.js";

const client = fileURLToPath(new URL("../../client/", import.meta.url));
const { resolve } = createRequire(import.meta.url);

describe("the custom element", function () {
  this.timeout(60_000);
  const stage = useStage();
  const manual = snippets();
  let browser: Browser;
  let page: Page;
  let fetched: string[];
  let problems: string[];

  before(async function () {
    browser = await chromium.launch({
      executablePath: requires("chromium", this),
      args: ["--no-sandbox", "--disable-background-networking"],
    });
    execFileSync(process.execPath, ["scripts/bundle.mjs"], { cwd: client });
  });
  after(() => browser?.close());
  beforeEach(async () => {
    [fetched, problems] = [[], []];
    page = await browser.newPage();
    page.on("pageerror", (error) => problems.push(String(error)));
  });
  afterEach(() => page.close());

  const html = (body: string, head = ""): string => `<!doctype html><head>${head}${manual.get("head.html")}</head><body>${body}</body>`;
  const open = async (body: string, head = "", library?: string): Promise<void> => {
    const origin = `http://127.0.0.1:${stage.relay.port}`;
    const scripts: Record<string, string> = { client: `${client}dist/bundle/client.js`, element: `${client}dist/bundle/element.js` };
    if (library !== undefined) scripts.library = library;
    for (const [name, path] of Object.entries(scripts)) await page.route(`${origin}/${name}.js`, (route) => route.fulfill({ path }));
    await page.route(`${origin}/favicon.ico`, (route) => route.fulfill({ status: 204 }));
    await page.route(`${origin}/fragments/**`, async (route) => {
      fetched.push(new URL(route.request().url()).pathname);
      await route.fulfill({ contentType: "text/html", body: `<p>fragment ${fetched.length}</p>` });
    });
    stage.relay.page = html(body, head);
    await page.goto(origin);
    await page.locator("bellwire-topic[status=subscribed]").waitFor({ state: "attached", timeout: 5000 });
  };
  const paragraph = (text: string): Promise<void> => page.locator("p").filter({ hasText: text }).waitFor({ timeout: 5000 });
  const message = (offset: number, id = 5): void => stage.relay.messages("Contact_Updated_Topic", [offset, 0, { id }]);
  const script = (name: string): string => `<script src="/${name}.js" defer></script>`;

  it("tells in events that bubble, follows its attributes, and ends with its removal", async () => {
    await open('<bellwire-topic topic="T" filter-id="5" filter-kind="a b" filter-any="[1,2]"></bellwire-topic>');
    await page.evaluate(`
      window.told = [];
      for (const name of ["message", "resync", "change"]) addEventListener("bellwire-" + name, ({ type, detail }) => told.push([type, detail.resync ? detail.data.id : detail.offset]));`);
    expect(stage.relay.subscribes.flat()[0]).to.deep.include({ topic: "T", filter: { any: [1, 2], id: 5, kind: "a b" } });
    stage.relay.messages("T", [11, 0, { id: 5, kind: "a b", any: 2 }]);
    stage.relay.socket.emit("resync", [{ topic: "T", epoch: "e1", offset: 20 }], { spread: 0, cause: "test" });
    await page.waitForFunction("told.length === 4");
    expect(await page.evaluate("told")).to.deep.equal([
      ["bellwire-message", 11],
      ["bellwire-change", 11],
      ["bellwire-resync", 5],
      ["bellwire-change", 5],
    ]);
    const element = page.locator("bellwire-topic");
    await element.evaluate((element) => element.setAttribute("filter-id", '"6"'));
    await until(() => stage.relay.unsubscribes.length === 1);
    expect(stage.relay.subscribes.flat()[1]?.filter).to.deep.include({ id: "6" });
    await element.evaluate((element) => element.setAttribute("filter-id", ""));
    await until(() => stage.relay.unsubscribes.length === 2);
    expect(await element.getAttribute("status")).to.equal("idle");
    await element.evaluate((element) => element.setAttribute("filter-id", "7"));
    await until(() => stage.relay.subscribes.length === 3);
    await element.evaluate((element) => element.remove());
    await until(() => stage.relay.unsubscribes.length === 3);
    expect(problems).to.deep.equal([]);
  });

  it("begins where the page's positions say", async () => {
    const positions = JSON.stringify([null, { topic: "Other", epoch: "e9", offset: 1 }, { topic: "T", epoch: "e1", offset: 4 }]);
    await open('<bellwire-topic topic="T"></bellwire-topic>', `<meta name="bellwire-positions" content='${positions}'>`);
    expect(stage.relay.subscribes.flat()[0]?.since).to.deep.equal({ epoch: "e1", offset: 4 });
  });

  it("shows a filter that can't be, and leaves the page standing", async () => {
    await open('<bellwire-topic topic="T"></bellwire-topic>');
    const element = page.locator("bellwire-topic");
    await element.evaluate((element) => element.setAttribute("filter-id", '{"a":1}'));
    await page.locator("bellwire-topic[status=failed]").waitFor({ state: "attached" });
    await until(() => problems.length > 0);
    expect(problems[0]).to.contain('"id" is not');
  });

  it("refetches its content: as in the manual, one at a time, and once for what came while the page was hidden", async () => {
    await open(manual.get("contact.html") as string);
    message(11);
    await paragraph("fragment 1");
    await page.evaluate(
      'Object.defineProperty(document, "visibilityState", { configurable: true, get: () => "hidden" }), void addEventListener("bellwire-change", () => (window.changes = (window.changes ?? 0) + 1))',
    );
    for (const offset of [12, 13, 14]) message(offset);
    await page.waitForFunction("window.changes === 3");
    expect(fetched).to.have.length(1);
    await page.evaluate('delete document.visibilityState, void document.dispatchEvent(new Event("visibilitychange"))');
    await paragraph("fragment 2");
    expect(fetched).to.deep.equal(["/fragments/contacts/5", "/fragments/contacts/5"]);
    expect(await page.locator("bellwire-topic").getAttribute("status")).to.equal("subscribed");
    expect(problems).to.deep.equal([]);
  });

  it("triggers htmx", async () => {
    await open(manual.get("htmx.html") as string, script("library"), resolve("htmx.org/dist/htmx.js"));
    expect(await page.evaluate("htmx.version")).to.match(/^2\./);
    message(11);
    await paragraph("fragment 1");
    message(12, 6);
    stage.relay.socket.emit("resync", [{ topic: "Contact_Updated_Topic", epoch: "e1", offset: 20 }], { spread: 0, cause: "test" });
    await paragraph("fragment 2");
    expect(problems).to.deep.equal([]);
  });

  it("lets Turbo morph the page, and hears on after that", async () => {
    const head = `<meta name="turbo-refresh-method" content="morph">${script("library")}`;
    const body = (version: number): string => `<p>version ${version}</p>${manual.get("turbo.html")}`;
    await open(body(1), head, resolve("@hotwired/turbo/dist/turbo.es2017-umd.js"));
    for (const version of [2, 3]) {
      stage.relay.page = html(body(version), head);
      message(9 + version);
      await paragraph(`version ${version}`);
    }
    expect(stage.relay.subscribes.flat()).to.have.length(1);
    await page.locator("bellwire-topic[status=subscribed]").waitFor({ state: "attached" });
    expect(problems).to.deep.equal([]);
  });

  it("is heard by Alpine", async () => {
    await open(manual.get("alpine.html") as string, script("library"), resolve("alpinejs/dist/cdn.js"));
    await paragraph("0");
    message(11);
    await paragraph("1");
    expect(stage.relay.subscribes.flat().at(-1)?.filter).to.deep.equal({ id: 5 });
    expect(problems).to.deep.equal([]);
  });
});

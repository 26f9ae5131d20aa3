import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { chromium, type Browser, type Page } from "playwright-core";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { startContacts, type ContactsServer } from "../../examples/contacts/src/server.js";
import { requires } from "../house/requires.js";
import { socketsOf } from "../support/relay-sockets.js";

const PICTURES = fileURLToPath(new URL("../.artifacts/", import.meta.url));

/** The demo as a person sees it: two tabs of one site, one of another, in a real browser. */
describe("the contacts demo in a browser", function () {
  this.timeout(60_000);
  let browser: Browser;
  let relay: TestRelay;
  let contacts: ContactsServer;

  before(async function () {
    const program = requires("chromium", this);
    const flags = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
    browser = await chromium.launch({ executablePath: program, args: flags });
    relay = await createTestRelay();
    contacts = await startContacts({
      port: 0,
      appKey: relay.appKey,
      relayUrl: `ws://localhost:${relay.port}`,
      apiKey: relay.apiKey,
      relayHttpUrl: relay.httpUrl,
    });
    await mkdir(PICTURES, { recursive: true });
  });
  after(async () => {
    await browser?.close();
    await contacts?.close();
    await relay?.close();
  });

  /** A tab of a visitor of its own, signed in and connected. */
  async function open(user: string): Promise<{ page: Page; problems: string[] }> {
    const page = await (await browser.newContext({ viewport: { width: 1100, height: 700 } })).newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    await page.goto(`${contacts.url}/?as=${user}`);
    await page
      .getByTestId("state")
      .filter({ hasText: /connected|live/i })
      .waitFor();
    await page.getByTestId("contact-1").waitFor();
    return { page, problems };
  }

  async function rename(page: Page, id: number, name: string): Promise<void> {
    await page.goto(`${contacts.url}/#/contacts/${id}`);
    await page.locator("#name").fill(name);
    await page.locator("#save").click();
  }

  it("shows in one tab what was edited in another, and who did it; another site sees nothing", async () => {
    const [ann, ben, gil] = await Promise.all(["ann", "ben", "gil"].map(open));
    if (!ann || !ben || !gil) throw new Error("three tabs");
    const before = await gil.page.getByTestId("contact-1").textContent();
    await rename(ann.page, 1, "Ada Byron");
    await ben.page.getByTestId("contact-1").filter({ hasText: "Ada Byron" }).waitFor();
    await ben.page
      .getByTestId("activity")
      .filter({ hasText: /Ann changed/ })
      .waitFor();
    await ben.page.screenshot({ path: `${PICTURES}contacts-list.png` });
    // The detail view hears its own contact through a filter.
    await ben.page.goto(`${contacts.url}/#/contacts/1`);
    await ben.page.waitForFunction(() => (document.querySelector("#name") as HTMLInputElement | null)?.value === "Ada Byron");
    await rename(ann.page, 1, "Ada King");
    await ben.page.waitForFunction(() => (document.querySelector("#name") as HTMLInputElement | null)?.value === "Ada King");
    await ben.page.screenshot({ path: `${PICTURES}contacts-detail.png` });
    expect(await gil.page.getByTestId("contact-1").textContent()).to.equal(before);
    expect(await gil.page.getByTestId("activity").textContent()).to.equal("");
    for (const { problems } of [ann, ben, gil]) expect(problems).to.deep.equal([]);
  });

  it("shows alerts to admins alone", async () => {
    const [ann, ben] = await Promise.all(["ann", "ben"].map(open));
    if (!ann || !ben) throw new Error("two tabs");
    await ben.page.goto(`${contacts.url}/#/contacts/2`);
    await ben.page.locator("#email").fill("changed@example.com");
    await ben.page.locator("#save").click();
    await ann.page.getByTestId("alerts").filter({ hasText: /Ben/ }).waitFor();
    expect(await ben.page.getByTestId("alerts").isVisible()).to.equal(false);
    await ann.page.screenshot({ path: `${PICTURES}contacts-admin.png` });
  });

  it("catches up after the relay was away", async () => {
    const [ann, ben] = await Promise.all(["ann", "ben"].map(open));
    if (!ann || !ben) throw new Error("two tabs");
    for (const { conn } of socketsOf(relay.relay)) conn.close();
    await rename(ann.page, 3, "Grace Murray Hopper");
    await ben.page.getByTestId("contact-3").filter({ hasText: "Grace Murray Hopper" }).waitFor();
  });
});

import { createHmac, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { startContacts, type ContactsServer } from "../../examples/contacts/src/server.js";
import { requires } from "../house/requires.js";
import { stablePort } from "../support/stable-port.js";

const secret = `whsec_${randomBytes(32).toString("base64")}`;

/** The demo in both of its modes: what a person sees must be the same. */
for (const mode of ["tokens", "hooks"] as const) {
  describe(`the contacts demo's sessions, by ${mode}`, function () {
    this.timeout(60_000);
    let browser: Browser;
    let relay: TestRelay;
    let contacts: ContactsServer;
    let folder: string;
    const contexts: BrowserContext[] = [];

    before(async function () {
      const program = requires("chromium", this);
      const flags = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
      browser = await chromium.launch({ executablePath: program, args: flags });
      folder = await mkdtemp(join(tmpdir(), "bellwire-contacts-"));
      const port = await stablePort();
      const hook = { url: `http://127.0.0.1:${port}/hooks` };
      const file = join(folder, "bellwire.json");
      await writeFile(file, JSON.stringify({ hooks: { secret, headers: ["cookie"], connect: hook, subscribe: hook } }));
      relay = await createTestRelay(mode === "hooks" ? { env: { REALTIME_CONFIG: file } } : {});
      contacts = await startContacts({
        port,
        appKey: relay.appKey,
        relayUrl: `ws://localhost:${relay.port}`,
        apiKey: relay.apiKey,
        relayHttpUrl: relay.httpUrl,
        ...(mode === "hooks" ? { auth: { hookSecret: secret } } : {}),
      });
    });
    afterEach(() => Promise.all(contexts.splice(0).map((context) => context.close())));
    after(async () => {
      await browser?.close();
      await contacts?.close();
      await relay?.close();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    async function visitor(): Promise<BrowserContext> {
      const context = await browser.newContext({ viewport: { width: 1100, height: 700 } });
      contexts.push(context);
      return context;
    }

    /** A tab, signed in and connected. */
    async function tab(context: BrowserContext, user: string): Promise<{ page: Page; asked: string[] }> {
      const page = await context.newPage();
      const asked: string[] = [];
      page.on("request", (request) => asked.push(new URL(request.url()).pathname));
      await page.goto(`${contacts.url}/?as=${user}`);
      await connected(page);
      await page.getByTestId("contact-1").waitFor();
      return { page, asked };
    }

    const connected = (page: Page): Promise<void> => page.getByTestId("state").filter({ hasText: "connected" }).waitFor();
    const isAtTheDoor = (page: Page): Promise<void> => page.getByTestId("sign-in-ann").waitFor();

    async function rename(page: Page, id: number, name: string): Promise<void> {
      await page.goto(`${contacts.url}/${new URL(page.url()).search}#/contacts/${id}`);
      await page.locator("#name").fill(name);
      await page.locator("#save").click();
    }

    it(`connects ${mode === "hooks" ? "without asking for tokens" : "with tokens"}, and shows in one tab what was edited in another`, async () => {
      const ann = await tab(await visitor(), "ann");
      const ben = await tab(await visitor(), "ben");
      const gil = await tab(await visitor(), "gil");
      const before = await gil.page.getByTestId("contact-1").textContent();
      await rename(ann.page, 1, `Ada by ${mode}`);
      await ben.page
        .getByTestId("contact-1")
        .filter({ hasText: `Ada by ${mode}` })
        .waitFor();
      await ben.page
        .getByTestId("activity")
        .filter({ hasText: /Ann changed/ })
        .waitFor();
      expect(await gil.page.getByTestId("contact-1").textContent(), "another site").to.equal(before);
      expect(ann.asked.includes("/realtime")).to.equal(mode === "tokens");
    });

    it("takes two tabs of one browser for two people", async () => {
      const context = await visitor();
      const ann = await tab(context, "ann");
      const ben = await tab(context, "ben");
      await rename(ben.page, 2, `Alan by ${mode}`);
      await ann.page
        .getByTestId("activity")
        .filter({ hasText: /Ben changed/ })
        .waitFor();
    });

    it("tells admins alone of alerts", async () => {
      const ann = await tab(await visitor(), "ann");
      const ben = await tab(await visitor(), "ben");
      await ben.page.goto(`${contacts.url}/?user=ben#/contacts/3`);
      await ben.page.locator("#email").fill(`${mode}@example.com`);
      await ben.page.locator("#save").click();
      await ann.page
        .getByTestId("alerts")
        .filter({ hasText: /Ben changed the email of Grace/ })
        .waitFor();
      expect(await ben.page.getByTestId("alerts").isVisible()).to.equal(false);
    });

    it("closes the other tabs of a session that signs out, and no others", async () => {
      const context = await visitor();
      const [first, second] = [await tab(context, "ann"), await tab(context, "ann")];
      const sameBrowser = await tab(context, "ben");
      const elsewhere = await tab(await visitor(), "ann");
      await first.page.getByRole("button", { name: "Sign out" }).click();
      await Promise.all([isAtTheDoor(first.page), isAtTheDoor(second.page)]);
      // These still hear what happens.
      await rename(sameBrowser.page, 4, `Edsger by ${mode}`);
      await elsewhere.page
        .getByTestId("contact-4")
        .filter({ hasText: `Edsger by ${mode}` })
        .waitFor();
      expect([...(relay.relay.gateway?.connections ?? [])].map(({ user }) => user).sort()).to.deep.equal(["ann", "ben"]);
      // Whoever comes back has a new session, which the old one's end leaves alone.
      const again = await tab(context, "ann");
      await rename(sameBrowser.page, 4, `Edsger again by ${mode}`);
      await again.page
        .getByTestId("contact-4")
        .filter({ hasText: `Edsger again by ${mode}` })
        .waitFor();
    });
  });
}

describe("the contacts demo's hooks", () => {
  let contacts: ContactsServer;

  before(async () => {
    contacts = await startContacts({
      port: 0,
      appKey: "k".repeat(40),
      relayUrl: "ws://localhost:1",
      apiKey: "a".repeat(20),
      relayHttpUrl: "http://127.0.0.1:1",
      auth: { hookSecret: secret },
    });
  });
  after(() => contacts?.close());

  it("answer nobody who can't sign, or whose question is old", async () => {
    const body = JSON.stringify({ v: 1, event: "connect", site: "acme", headers: {}, data: null });
    const now = Math.floor(Date.now() / 1000);
    const sign = (time: number, key = secret): string =>
      `v1,${createHmac("sha256", Buffer.from(key.slice(6), "base64"))
        .update(`msg_1.${time}.${body}`)
        .digest("base64")}`;
    const ask = async (time: number, signature: string): Promise<number> => {
      const headers = { "webhook-id": "msg_1", "webhook-timestamp": String(time), "webhook-signature": signature };
      return (await fetch(`${contacts.url}/hooks`, { method: "POST", headers, body })).status;
    };
    const other = sign(now, `whsec_${randomBytes(32).toString("base64")}`);
    expect(await ask(now, sign(now))).to.equal(200);
    expect(await ask(now, `${other} ${sign(now)}`), "one of several").to.equal(200);
    for (const signature of ["", "v1,AAAA", "v1", other, sign(now).replace("v1", "v2")]) expect(await ask(now, signature)).to.equal(401);
    expect(await ask(now - 1, sign(now)), "another time").to.equal(401);
    expect(await ask(now - 3600, sign(now - 3600)), "an hour ago").to.equal(401);
    expect((await fetch(`${contacts.url}/hooks`, { method: "POST", body })).status).to.equal(401);
  });

  it("leave no token endpoint behind", async () => {
    expect((await fetch(`${contacts.url}/realtime`, { method: "POST", body: "{}" })).status).to.equal(404);
  });
});

import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { createLogger } from "@bellwire/server";
import { startChat, type ChatServer } from "../../examples/chat/src/server.js";
import { requires } from "../house/requires.js";

const PICTURES = fileURLToPath(new URL("../.artifacts/", import.meta.url));

/** The chat as two people see it, in a real browser. */
describe("the chat in a browser", function () {
  this.timeout(60_000);
  let browser: Browser;
  let chat: ChatServer;
  const logged: string[] = [];
  const contexts: BrowserContext[] = [];

  before(async function () {
    const program = requires("chromium", this);
    const flags = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
    browser = await chromium.launch({ executablePath: program, args: flags });
    await mkdir(PICTURES, { recursive: true });
  });
  beforeEach(async () => {
    chat = await startChat({
      port: 0,
      env: { APP_KEY: "k".repeat(40) },
      logger: createLogger({ write: () => undefined }),
      log: (line) => logged.push(line),
    });
  });
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
    await chat?.close();
    logged.length = 0;
  });
  after(() => browser?.close());

  interface Visitor {
    readonly page: Page;
    readonly problems: string[];
  }

  /** A browser of its own, signed in and connected. */
  async function enter(name: string, room = "lobby"): Promise<Visitor> {
    const context = await browser.newContext({ viewport: { width: 1100, height: 700 } });
    contexts.push(context);
    const visitor = await open(context, room);
    // The first question is who one is: 401 is its answer.
    visitor.problems.length = 0;
    await visitor.page.locator("#sign-in-name").fill(name);
    await visitor.page.getByRole("button", { name: "Come in" }).click();
    await connected(visitor.page);
    return visitor;
  }

  async function open(context: BrowserContext, room = "lobby"): Promise<Visitor> {
    const page = await context.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    await page.goto(`${chat.url}/#/${room}`);
    await page.locator("#sign-in-name, [data-state]:not([hidden])").first().waitFor();
    return { page, problems };
  }

  const connected = (page: Page): Promise<void> => page.getByTestId("state").filter({ hasText: "connected" }).waitFor();
  const heard = (page: Page, text: string): Promise<void> => page.getByTestId("lines").getByText(text, { exact: true }).waitFor();

  async function say(page: Page, text: string): Promise<void> {
    await page.locator("#text").fill(text);
    await page.locator("#send").click();
  }

  it("brings to one page what is said on another, with whose words they are, and remembers it", async () => {
    const [ann, ben] = await Promise.all([enter("Ann"), enter("Ben")]);
    await say(ann.page, "Good morning, Ben!");
    await heard(ben.page, "Good morning, Ben!");
    await say(ben.page, "Hello <b>Ann</b>");
    await heard(ann.page, "Hello <b>Ann</b>");
    expect(await ann.page.getByTestId("lines").locator("li:not(.mine) .by b").allTextContents()).to.deep.equal(["Ben"]);
    // Who comes later hears it from the backend.
    const cleo = await enter("Cleo");
    await heard(cleo.page, "Good morning, Ben!");
    expect(await cleo.page.getByTestId("lines").locator(".bubble").allTextContents()).to.deep.equal([
      "Good morning, Ben!",
      "Hello <b>Ann</b>",
    ]);
    await ann.page.screenshot({ path: `${PICTURES}chat-room.png` });
    for (const { problems } of [ann, ben, cleo]) expect(problems).to.deep.equal([]);
  });

  it("says each room's words in that room alone", async () => {
    const [ann, ben] = await Promise.all([enter("Ann"), enter("Ben", "kitchen")]);
    await say(ann.page, "Only in the lobby");
    await heard(ann.page, "Only in the lobby");
    await say(ben.page, "Only in the kitchen");
    await heard(ben.page, "Only in the kitchen");
    expect(await ben.page.locator(".bubble").allTextContents()).to.deep.equal(["Only in the kitchen"]);
    await ben.page.getByRole("link", { name: "# lobby" }).click();
    await heard(ben.page, "Only in the lobby");
    expect(await ben.page.locator(".bubble").allTextContents()).to.deep.equal(["Only in the lobby"]);
  });

  it("shows the backend's words for a message that it refuses, and tells nobody of it", async () => {
    const [ann, ben] = await Promise.all([enter("Ann"), enter("Ben")]);
    const refused = ann.page.getByTestId("refused");
    await say(ann.page, "   ");
    await refused.filter({ hasText: "Say something" }).waitFor();
    await say(ann.page, "x".repeat(501));
    await refused.filter({ hasText: "At most 500 characters: these are 501" }).waitFor();
    await ann.page.screenshot({ path: `${PICTURES}chat-refused.png` });
    await say(ann.page, "x".repeat(500));
    await heard(ben.page, "x".repeat(500));
    expect(await refused.textContent()).to.equal("");
    expect(await ben.page.locator(".bubble").count()).to.equal(1);
  });

  it("holds up whoever speaks too fast", async () => {
    const { page } = await enter("Ann");
    for (let i = 0; i < 20 && (await page.getByTestId("refused").textContent()) === ""; i++) {
      await say(page, `${i}`);
      await page.locator("#send:enabled").waitFor();
    }
    await page.getByTestId("refused").filter({ hasText: "Not so fast" }).waitFor();
  });

  it("answers calls: a ping, and another name that everybody learns of", async () => {
    const [ann, ben] = await Promise.all([enter("Ann"), enter("Ben")]);
    await ann.page
      .getByTestId("ping")
      .filter({ hasText: /^\d+ ms$/ })
      .waitFor();
    await say(ann.page, "Who am I?");
    await heard(ben.page, "Who am I?");
    await ann.page.locator("#name").fill("Ben");
    await ann.page.getByRole("button", { name: "Rename" }).click();
    await ann.page.getByTestId("notice").filter({ hasText: "Somebody is called Ben already" }).waitFor();
    await ann.page.locator("#name").fill("Anna");
    await ann.page.getByRole("button", { name: "Rename" }).click();
    await ben.page.getByTestId("lines").locator(".by b").filter({ hasText: "Anna" }).waitFor();
    expect(await ann.page.getByTestId("notice").isVisible()).to.equal(false);
    expect(logged.filter((line) => line.startsWith("rpc rename")).map((line) => line.replace(/ by \S+: /, ": "))).to.match(
      /bad-request.*,.*ok/,
    );
  });

  it("shows who is there, each person once over their tabs, and who has left", async () => {
    const [ann, ben] = await Promise.all([enter("Ann"), enter("Ben")]);
    const names = (page: Page): Promise<string[]> => page.getByTestId("people").locator("li").allInnerTexts();
    const people = (page: Page): ReturnType<Page["locator"]> => page.getByTestId("people").locator("li");
    await people(ann.page).filter({ hasText: "Ben" }).waitFor();
    await people(ben.page).filter({ hasText: "Ann" }).waitFor();
    const second = await open(contexts[0] as BrowserContext);
    await connected(second.page);
    await people(second.page).filter({ hasText: "Ben" }).waitFor();
    expect(await names(second.page)).to.have.length(2);
    await second.page.screenshot({ path: `${PICTURES}chat-presence.png` });
    await ben.page.getByRole("link", { name: "# garden" }).click();
    await people(ann.page).filter({ hasText: "Ben" }).waitFor({ state: "detached" });
    expect(await names(ann.page)).to.have.length(1);
  });

  it("closes a person's other tabs when one of them signs out", async () => {
    const [ann, ben] = await Promise.all([enter("Ann"), enter("Ben")]);
    const second = await open(ann.page.context());
    await connected(second.page);
    await ann.page.getByRole("button", { name: "Sign out" }).click();
    await Promise.all([ann, second].map(({ page }) => page.locator("#sign-in-name").waitFor()));
    await say(ben.page, "Still here");
    await heard(ben.page, "Still here");
  });
});

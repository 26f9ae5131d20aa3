import { expect } from "chai";
import { chromium, type Browser, type Page } from "playwright-core";
import { confirmed } from "../client/fake-relay.js";
import { until, useStage } from "../client/setup.js";
import { requires } from "../house/requires.js";
import { bundle } from "../support/components.js";

/** How each framework shows `contact-card` of docs/components.md: `show(id)` renders it for a contact, `show(null)` takes it away. */
const MAINS: Readonly<Record<string, string>> = {
  React: `
    import { StrictMode } from "react";
    import { createRoot } from "react-dom/client";
    import { ContactCard } from "docs:contact-card.tsx";
    const root = createRoot(document.querySelector("main"));
    window.show = (id) => root.render(id === null ? null : <StrictMode><ContactCard id={id} /></StrictMode>);`,
  Vue: `
    import { createApp, h, shallowRef } from "vue";
    import ContactCard from "docs:contact-card.vue";
    const id = shallowRef(null);
    createApp({ render: () => id.value === null ? null : h(ContactCard, { id: id.value }) }).mount("main");
    window.show = (now) => void (id.value = now);`,
  "Vue in KeepAlive": `
    import { createApp, h, KeepAlive, shallowRef } from "vue";
    import ContactCard from "docs:contact-card.vue";
    const id = shallowRef(null);
    const Nothing = { render: () => null };
    createApp({ render: () => h(KeepAlive, () => id.value === null ? h(Nothing) : h(ContactCard, { id: id.value })) }).mount("main");
    window.show = (now) => void (id.value = now);`,
  Svelte: `
    import { createClassComponent } from "svelte/legacy";
    import ContactCard from "docs:contact-card.svelte";
    let card;
    window.show = (id) => {
      if (id === null) card = card?.$destroy();
      else if (card) card.$set({ id });
      else card = createClassComponent({ component: ContactCard, target: document.querySelector("main"), props: { id } });
    };`,
  "Svelte's stores": `
    import { createClassComponent } from "svelte/legacy";
    import ContactCard from "docs:contact-card-store.svelte";
    let card;
    window.show = (id) => {
      if (id === null) card = card?.$destroy();
      else if (card) card.$set({ id });
      else card = createClassComponent({ component: ContactCard, target: document.querySelector("main"), props: { id } });
    };`,
  Solid: `
    import { createSignal, Show } from "solid-js";
    import { render } from "solid-js/web";
    import html from "solid-js/html";
    import { createContact } from "docs:create-contact.ts";
    const [id, setId] = createSignal(null);
    function Card(props) {
      const { contact, status } = createContact(() => props.id);
      return html\`<p class=\${status}>\${() => contact.latest?.name}</p>\`;
    }
    render(() => html\`<\${Show} when=\${() => id() !== null}><\${Card} id=\${() => id() ?? 0} /><//>\`, document.querySelector("main"));
    window.show = (now) => void setId(now);`,
  Lit: `
    import { ContactCard } from "docs:contact-card-lit.ts";
    ContactCard.prototype.createRenderRoot = function () { return this; };
    customElements.define("contact-card", ContactCard);
    const card = document.createElement("contact-card");
    window.show = (id) => {
      if (id === null) return card.remove();
      card.contactId = id;
      document.querySelector("main").append(card);
    };`,
};

/** The same with a cache that fetches: `stop` is not needed, the line is there for the page. */
const CACHES: Readonly<Record<string, string>> = {
  "TanStack Query": `
    import { StrictMode } from "react";
    import { createRoot } from "react-dom/client";
    import { QueryClientProvider } from "@tanstack/react-query";
    import { queryClient } from "docs:queries.ts";
    import { ContactCard } from "docs:contact-card-query.tsx";
    const root = createRoot(document.querySelector("main"));
    window.show = (id) => root.render(<StrictMode><QueryClientProvider client={queryClient}><ContactCard id={id} /></QueryClientProvider></StrictMode>);`,
  SWR: `
    import { StrictMode } from "react";
    import { createRoot } from "react-dom/client";
    import "docs:revalidate.ts";
    import { ContactCard } from "docs:contact-card-swr.tsx";
    const root = createRoot(document.querySelector("main"));
    window.show = (id) => root.render(<StrictMode><ContactCard id={id} /></StrictMode>);`,
};

describe("the components of the manual", function () {
  this.timeout(60_000);
  const stage = useStage();
  let browser: Browser;
  let page: Page;
  let fetched: number[];
  let problems: string[];

  before(async function () {
    browser = await chromium.launch({
      executablePath: requires("chromium", this),
      args: ["--no-sandbox", "--disable-background-networking"],
    });
  });
  after(() => browser?.close());
  beforeEach(async () => {
    [fetched, problems] = [[], []];
    page = await browser.newPage();
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (line) => {
      if (["error", "warning"].includes(line.type()) && !line.text().startsWith("Lit is in dev mode")) problems.push(line.text());
    });
    const origin = `http://127.0.0.1:${stage.relay.port}`;
    stage.relay.page = "<!doctype html><main></main>";
    await page.route(`${origin}/favicon.ico`, (route) => route.fulfill({ status: 204 }));
    await page.route(`${origin}/api/contacts/*`, async (route) => {
      const id = Number(route.request().url().split("/").at(-1));
      fetched.push(id);
      await route.fulfill({ json: { name: `${id} at ${fetched.length}` } });
    });
    await page.goto(origin);
  });
  afterEach(() => page.close());

  const show = (id: number | null): Promise<void> =>
    page.evaluate((id) => (globalThis as never as { show(id: unknown): void }).show(id), id);
  const shows = (text: string): Promise<void> => page.locator("p.subscribed").filter({ hasText: text }).waitFor({ timeout: 5000 });
  const asked = (): unknown[] => stage.relay.subscribes.flat().map(({ filter, since }) => [filter?.id, since?.offset]);

  for (const [name, main] of Object.entries(MAINS)) {
    it(`show in ${name} what changed, once, and follow the filter`, async () => {
      await page.addScriptTag({ content: await bundle(main) });
      await show(5);
      await page.locator("p.subscribed").waitFor({ timeout: 5000 });
      await until(() => fetched.length > 0);
      const first = fetched.length;
      // StrictMode mounts twice.
      expect(first).to.be.at.most(name === "React" ? 2 : 1);
      stage.relay.messages("Contact_Updated_Topic", [11, 0, { id: 5 }]);
      await shows(`5 at ${first + 1}`);
      stage.relay.messages("Contact_Updated_Topic", [12, 0, { id: 6 }]);
      stage.relay.socket.emit("resync", [{ topic: "Contact_Updated_Topic", epoch: "e1", offset: 20 }], { spread: 0, cause: "test" });
      await shows(`5 at ${first + 2}`);
      await show(6);
      await shows("6 at ");
      expect(fetched).to.deep.equal([...Array<number>(first + 2).fill(5), 6]);
      await until(() => stage.relay.unsubscribes.length === 1);
      await show(null);
      await until(() => stage.relay.unsubscribes.length === 2);
      expect(asked()).to.deep.equal([
        [5, undefined],
        [6, undefined],
      ]);
      // Back again: it hears what came meanwhile.
      stage.relay.subscribe = (item) => confirmed(item, { offset: 21, messages: [[21, 0, { id: 6 }]] });
      await show(6);
      await until(() => fetched.length >= first + 4);
      await shows(`6 at `);
      expect(asked().at(-1)).to.deep.equal([6, 10]);
      expect(problems).to.deep.equal([]);
      // What can't be leaves the page standing, and does not pass in silence where nobody reads `error`.
      await show(Number.NaN);
      await page.locator("p.failed").waitFor({ timeout: 5000 });
      expect(problems.join()).to.contain('The filter of "Contact_Updated_Topic": "id" is not');
      await show(5);
      await shows("5 at ");
    });
  }

  for (const [name, main] of Object.entries(CACHES)) {
    it(`show with ${name} what changed, once, and not while nobody looks`, async () => {
      const paragraph = (text: string): Promise<void> => page.locator("p").filter({ hasText: text }).waitFor({ timeout: 5000 });
      const message = (offset: number, id: number): void => stage.relay.messages("Contact_Updated_Topic", [offset, 0, { id }]);
      await page.addScriptTag({
        content: await bundle(`${main}\nimport { client } from "docs:contacts.ts";\nwindow.bellwireTest = client;`),
      });
      await show(5);
      await paragraph("5 at 1");
      await until(() => stage.relay.subscribes.length === 1);
      message(11, 6);
      message(12, 5);
      await paragraph("5 at 2");
      stage.relay.socket.emit("resync", [{ topic: "Contact_Updated_Topic", epoch: "e1", offset: 20 }], { spread: 0, cause: "test" });
      await paragraph("5 at 3");
      // As the page does: TanStack Query listens to the window, which hears of it too.
      const look = (state: string): Promise<void> =>
        page.evaluate(
          `Object.defineProperty(document, "visibilityState", { configurable: true, get: () => "${state}" }), void document.dispatchEvent(new Event("visibilitychange", { bubbles: true }))`,
        );
      await look("hidden");
      for (let offset = 21; offset < 40; offset++) message(offset, 5);
      // A question of the page is answered after what was sent before it.
      await page.evaluate('bellwireTest.rpc("ping")');
      await look("visible");
      await paragraph("5 at 4");
      message(40, 5);
      await paragraph("5 at 5");
      expect(fetched).to.deep.equal([5, 5, 5, 5, 5]);
      expect(asked()).to.deep.equal([[undefined, undefined]]);
      expect(problems).to.deep.equal([]);
    });
  }
});

import { expect } from "chai";
import { JSDOM, VirtualConsole } from "jsdom";
import type { FunctionComponent, ReactNode } from "react";
import type { Root } from "react-dom/client";
import type { Client } from "@bellwire/client";
import { loadReact, VERSIONS, type LoadedReact } from "../support/react.js";
import { refused } from "./fake-relay.js";
import { settled, state, until, useStage } from "./setup.js";

for (const version of VERSIONS) {
  describe(`the hooks of React ${version}`, function () {
    this.timeout(20_000);
    const stage = useStage();
    const globals = globalThis as unknown as Record<string, unknown>;
    const names = ["window", "document", "IS_REACT_ACT_ENVIRONMENT", "reportError"];
    const saved = new Map(names.map((name) => [name, globals[name]]));
    let react: LoadedReact;
    let dom: JSDOM;
    let root: Root | undefined;
    let uncaught: unknown[];

    before(async () => {
      react = await loadReact(version);
      expect(react.React.version).to.match(new RegExp(`^${version}\\.`));
    });
    beforeEach(() => {
      uncaught = [];
      dom = new JSDOM("<main></main>", { url: "http://localhost/", virtualConsole: new VirtualConsole() });
      const reportError = (error: unknown): void => void uncaught.push(error);
      Object.assign(globals, { window: dom.window, document: dom.window.document, IS_REACT_ACT_ENVIRONMENT: false, reportError });
    });
    afterEach(async () => {
      await act(async () => root?.unmount());
      root = undefined;
      dom.window.close();
      for (const name of names)
        if (saved.get(name) === undefined) delete globals[name];
        else globals[name] = saved.get(name);
    });

    /** As React's own. In between nothing warns of what comes from the relay. */
    const act = async (run: () => unknown): Promise<void> => {
      globals.IS_REACT_ACT_ENVIRONMENT = true;
      try {
        await react.React.act(async () => {
          await run();
        });
      } finally {
        globals.IS_REACT_ACT_ENVIRONMENT = false;
      }
    };
    const main = (): Element => dom.window.document.querySelector("main") as Element;
    const text = (): string => main().textContent ?? "";
    const page = (component: FunctionComponent, client?: Client): ReactNode => {
      const { createElement, StrictMode } = react.React;
      const own = createElement(component);
      return createElement(StrictMode, null, client === undefined ? own : createElement(react.hooks.BellwireProvider, { client }, own));
    };
    const render = async (component: FunctionComponent, client?: Client): Promise<void> => {
      root ??= react.client.createRoot(main());
      await act(async () => root?.render(page(component, client)));
    };
    /** A wait after each of whose steps React renders what came. */
    const shown = async (condition: () => boolean): Promise<void> => {
      const end = Date.now() + 5000;
      while (!condition()) {
        if (Date.now() > end) throw new Error(`never came true: ${condition.toString()}, but ${text()}`);
        await act(() => new Promise((resolve) => setTimeout(resolve, 1)));
      }
    };

    it("tell status, last message and resync, and render nothing for what nobody reads", async () => {
      const client = stage.client();
      const told: string[] = [];
      let silent = 0;
      const Silent = (): ReactNode => {
        react.hooks.useSubscription("T", { id: 5 }, (event) => told.push(event.resync ? "resync" : `${event.offset}`));
        silent++;
        return null;
      };
      await render(() => {
        const { status, last, resync } = react.hooks.useSubscription("T", { id: 5 });
        return react.React.createElement("p", null, [status, last?.offset, resync?.data.id].join(" "), react.React.createElement(Silent));
      }, client);
      await shown(() => text() === "subscribed  ");
      const renderings = silent;
      stage.relay.messages("T", [11, 0, { id: 5 }]);
      await shown(() => text() === "subscribed 11 ");
      stage.relay.socket.emit("resync", [{ topic: "T", epoch: "e1", offset: 20 }], { spread: 0, cause: "test" });
      await shown(() => text() === "subscribed 11 5");
      expect(told).to.deep.equal(["11", "resync"]);
      expect(stage.relay.subscribes.flat()).to.have.length(1);
      // Rendered with their parent, and no more than that: StrictMode renders twice.
      const parents = 2 * 2;
      expect(silent - renderings).to.be.at.most(parents);
    });

    it("render a component that reads nothing only once, whatever comes", async () => {
      const client = stage.client();
      let renderings = 0;
      let told = 0;
      await render(() => {
        renderings++;
        react.hooks.useSubscription("T", null, () => told++);
        return null;
      }, client);
      const first = renderings;
      await until(() => stage.relay.subscribes.length === 1);
      await settled(client);
      for (const offset of [11, 12, 13]) stage.relay.messages("T", [offset, 0, {}]);
      await shown(() => told === 3);
      expect(renderings).to.equal(first);
    });

    it("say why nothing arrives: a refusal, a filter that can't be; and never throw while rendering", async () => {
      stage.relay.subscribe = (item) => refused(item, "forbidden", "never");
      const errors: unknown[] = [];
      const client = stage.client({ onError: (error) => errors.push(error) });
      let set: (filter: unknown) => void = () => {};
      await render(() => {
        const [filter, setFilter] = react.React.useState<unknown>({ id: 5 });
        set = setFilter;
        const { status, error } = react.hooks.useSubscription("T", filter as never);
        return `${status} ${error?.code ?? ""} ${error?.message ?? ""}`;
      }, client);
      await shown(() => text() === "failed forbidden forbidden!");
      expect(errors).to.have.length(1);
      await act(async () => set({ id: NaN }));
      expect(text()).to.match(/^failed bad-request The filter of "T": "id" is not/);
      await act(async () => set({ id: undefined }));
      expect(text()).to.equal("idle  ");
      expect(uncaught).to.deep.equal([]);
    });

    it("say what is in the way while there is no connection", async () => {
      stage.relay.answer = () => ({ status: 500, body: {} });
      const client = stage.client({ onError: () => {} });
      await render(() => {
        const { status, error } = react.hooks.useSubscription("T", null);
        return `${status} ${error?.code ?? ""}`;
      }, client);
      await shown(() => text() === `pending ${client.error?.code}` && client.error !== undefined);
      stage.relay.answer = () => undefined;
      await shown(() => text() === "subscribed ");
      const nowhere = stage.client({ url: "ws://127.0.0.1:1", site: "s1", onError: () => {} });
      await render(() => react.hooks.useSubscription("T", null).error?.code ?? "", nowhere);
      await shown(() => text() === "unavailable");
    });

    it("are idle with enabled: false, and begin where since says", async () => {
      const client = stage.client();
      let set: (enabled: boolean) => void = () => {};
      await render(() => {
        const [enabled, setEnabled] = react.React.useState(false);
        set = setEnabled;
        return react.hooks.useSubscription("T", null, () => {}, { enabled, since: { epoch: "e1", offset: 7 }, replay: false }).status;
      }, client);
      expect([text(), client.state]).to.deep.equal(["idle", "idle"]);
      await act(async () => set(true));
      await shown(() => text() === "subscribed");
      expect(stage.relay.subscribes.flat().map(({ since }) => since)).to.deep.equal([{ epoch: "e1", offset: 7 }]);
      await act(async () => set(false));
      expect(text()).to.equal("idle");
      await until(() => stage.relay.unsubscribes.length === 1);
    });

    it("never show one topic's message beside another topic", async () => {
      const client = stage.client();
      const seen = new Set<string>();
      let set: (id: number) => void = () => {};
      await render(() => {
        const [id, setId] = react.React.useState(1);
        set = setId;
        const { last } = react.hooks.useSubscription("T", { id });
        if (last !== undefined) seen.add(`${id} ${String(last.data.id)}`);
        return String(last?.data.id);
      }, client);
      await until(() => stage.relay.subscribes.length === 1);
      await settled(client);
      stage.relay.messages("T", [11, 0, { id: 1 }]);
      await shown(() => text() === "1");
      await act(async () => set(2));
      expect(text()).to.equal("undefined");
      await until(() => stage.relay.subscribes.length === 2);
      await settled(client);
      stage.relay.messages("T", [12, 0, { id: 2 }]);
      await shown(() => text() === "2");
      expect([...seen]).to.deep.equal(["1 1", "2 2"]);
    });

    it("subscribe once where a component suspends before it mounts", async () => {
      const client = stage.client();
      const { createElement, Suspense } = react.React;
      let ready = false;
      let resolve: () => void = () => {};
      const data = new Promise<void>((done) => (resolve = done));
      const Card = (): ReactNode => {
        const { status } = react.hooks.useSubscription("T", { id: 5 });
        if (!ready) throw data;
        return status;
      };
      await render(() => createElement(Suspense, { fallback: "loading" }, createElement(Card)), client);
      expect([text(), client.state]).to.deep.equal(["loading", "idle"]);
      ready = true;
      await act(async () => resolve());
      await shown(() => text() === "subscribed");
      expect(stage.relay.subscribes.flat()).to.have.length(1);
    });

    it("hydrate what a server rendered, where they do nothing", async () => {
      const client = stage.client();
      const Page = (): ReactNode => {
        const { status } = react.hooks.useSubscription("T", { id: 5 });
        const { users } = react.hooks.usePresence("T");
        return `${status} ${users.length} ${react.hooks.useConnectionState()}`;
      };
      const html = react.server.renderToString(page(Page, client));
      expect([html, client.state]).to.deep.equal(["pending 0 idle", "idle"]);
      main().innerHTML = html;
      const recovered: unknown[] = [];
      await act(async () => {
        root = react.client.hydrateRoot(main(), page(Page, client), { onRecoverableError: (error) => recovered.push(error) });
      });
      await shown(() => text() === "subscribed 1 connected");
      expect(recovered).to.deep.equal([]);
    });

    it("keep the list of who is there, on each connection anew", async () => {
      const client = stage.client();
      stage.relay.present = { users: [{ user: "ann" }], count: 2 };
      await render(() => {
        const { status, users, count } = react.hooks.usePresence("T", { id: 5 });
        return `${status} ${users.map(({ user }) => user).join(",")} ${count}`;
      }, client);
      await shown(() => text() === "subscribed ann 2");
      stage.relay.socket.emit("presence", "T", { joined: [{ user: "ben" }], left: [], count: 3 });
      stage.relay.socket.emit("presence", "Other", { joined: [{ user: "eve" }], left: [], count: 9 });
      await shown(() => text() === "subscribed ann,ben 3");
      stage.relay.socket.emit("presence", "T", { joined: [], left: [{ user: "ann" }], count: 2 });
      await shown(() => text() === "subscribed ben 2");
      stage.relay.present = { users: [{ user: "gil" }], count: 1 };
      stage.relay.socket.emit("presence", "T", { joined: [], left: [], incomplete: true });
      await shown(() => text() === "subscribed gil 1");
      stage.relay.present = { users: [{ user: "ann" }, { user: "eve" }], count: 2 };
      stage.relay.cut();
      await shown(() => text() === "subscribed ann,eve 2");
      // Taking part, once, and without a word of the past.
      expect(stage.relay.subscribes.map((items) => items.map(({ filter, replay }) => [filter, replay]))[0]).to.deep.equal([
        [{ id: 5 }, false],
      ]);
      expect(stage.relay.subscribes.flat()).to.have.length(2);
    });

    it("publish and call, with functions that stay the same", async () => {
      const client = stage.client();
      const publishes = new Set<unknown>();
      const calls = new Set<unknown>();
      let publish: ((data: object) => Promise<unknown>) | undefined;
      let rpc: Client["rpc"] | undefined;
      let again: (count: number) => void = () => {};
      await render(() => {
        again = react.React.useState(0)[1];
        publishes.add((publish = react.hooks.usePublish("T")));
        calls.add((rpc = react.hooks.useRpc()));
        return null;
      }, client);
      await act(async () => again(1));
      await act(async () => again(2));
      // StrictMode throws the first rendering's away.
      expect(publishes.size).to.be.at.most(2);
      expect(calls.size).to.equal(1);
      expect(await publish?.({ id: 5 })).to.deep.equal({ epoch: "e1", offset: 11 });
      expect(await rpc?.("ping", 1)).to.deep.equal({ status: 201, data: { method: "ping", data: 1 } });
    });

    it("say once that there is no client, and leave the page standing", async () => {
      const warnings: unknown[] = [];
      const warn = console.warn;
      console.warn = (line: unknown): unknown => warnings.push(line);
      let rpc: Client["rpc"] | undefined;
      try {
        await render(() => {
          react.hooks.useSubscription("Other", null);
          rpc = react.hooks.useRpc();
          return `${react.hooks.useSubscription("T", { id: 5 }).status} ${react.hooks.usePresence("T").status}`;
        });
      } finally {
        console.warn = warn;
      }
      expect(text()).to.equal("idle idle");
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.contain("setDefaultClient(client)");
      expect(await rpc?.("ping").catch(({ code }: { code: string }) => code)).to.equal("unavailable");
    });

    it("follow a client that is replaced", async () => {
      const [first, second] = [stage.client(), stage.client()];
      const Page = (): ReactNode => `${react.hooks.useSubscription("T", null).status} ${react.hooks.useConnectionState()}`;
      await render(Page, first);
      await shown(() => text() === "subscribed connected");
      await render(Page, second);
      await act(() => state(second, "connected"));
      await shown(() => text() === "subscribed connected");
      await until(() => stage.relay.unsubscribes.length === 1);
    });
  });
}

import { expect } from "chai";
import { JSDOM } from "jsdom";
import { act, createElement, StrictMode, useState, type FunctionComponent } from "react";
import { createRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { BellwireProvider, useConnectionState, useSubscription } from "@bellwire/client/react";
import type { Client } from "@bellwire/client";
import { confirmed } from "./fake-relay.js";
import { settled, state, until, useStage } from "./setup.js";

describe("the React hooks", () => {
  const stage = useStage();
  const globals = globalThis as unknown as Record<string, unknown>;
  const names = ["window", "document", "IS_REACT_ACT_ENVIRONMENT"];
  const before = new Map(names.map((name) => [name, globals[name]]));
  let root: Root | undefined;
  let dom: JSDOM;

  beforeEach(() => {
    dom = new JSDOM("<main></main>", { url: "http://localhost/" });
    Object.assign(globals, { window: dom.window, document: dom.window.document, IS_REACT_ACT_ENVIRONMENT: true });
  });
  afterEach(async () => {
    await act(async () => root?.unmount());
    root = undefined;
    dom.window.close();
    for (const name of names)
      if (before.get(name) === undefined) delete globals[name];
      else globals[name] = before.get(name);
  });

  const render = async (client: Client, component: FunctionComponent): Promise<void> => {
    root ??= createRoot(dom.window.document.querySelector("main") as Element);
    await act(async () =>
      root?.render(createElement(StrictMode, null, createElement(BellwireProvider, { client }, createElement(component)))),
    );
  };
  const text = (): string => dom.window.document.querySelector("main")?.textContent ?? "";

  it("subscribe once under StrictMode, with an inline filter and a callback of each rendering", async () => {
    const client = stage.client();
    let renderings = 0;
    await render(client, () => {
      const [seen, setSeen] = useState<readonly number[]>([]);
      renderings++;
      useSubscription("T", { id: [5, 6] }, (event) => !event.resync && setSeen([...seen, event.offset]));
      return seen.join(" ");
    });
    await until(() => stage.relay.subscribes.length === 1);
    await settled(client);
    for (const offset of [11, 12, 13]) {
      await act(async () => {
        stage.relay.messages("T", [offset, 0, { id: 5 }]);
        await settled(client);
      });
    }
    // The callback sees the state of its own rendering, so none was stale.
    expect(text()).to.equal("11 12 13");
    expect(renderings).to.be.greaterThan(4);
    expect(stage.relay.subscribes.flat()).to.have.length(1);
    expect(stage.relay.tokenRequests).to.have.length(1);
    expect(stage.relay.unsubscribes).to.deep.equal([]);
  });

  it("follow the topic and the filter's meaning, and skip without a topic", async () => {
    const client = stage.client();
    let set: (what: { topic: string | null; id: number }) => void = () => {};
    await render(client, () => {
      const [what, setWhat] = useState<{ topic: string | null; id: number }>({ topic: null, id: 1 });
      set = setWhat;
      useSubscription(what.topic, { id: what.id }, () => {});
      return "";
    });
    expect(client.state).to.equal("idle");
    await act(async () => set({ topic: "T", id: 1 }));
    await until(() => stage.relay.subscribes.length === 1);
    await act(async () => set({ topic: "T", id: 2 }));
    await until(() => stage.relay.subscribes.length === 2 && stage.relay.unsubscribes.length === 1);
    await act(async () => set({ topic: null, id: 2 }));
    await until(() => stage.relay.unsubscribes.length === 2);
  });

  it("show the state of the connection", async () => {
    const client = stage.client();
    await render(client, () => useConnectionState());
    expect(text()).to.equal("idle");
    await act(async () => {
      client.connect();
      await state(client, "connected");
    });
    expect(text()).to.equal("connected");
  });

  it("wait for a filter's values, and stand a filter that can't be", async () => {
    const client = stage.client();
    let set: (id: unknown) => void = () => {};
    const Page = (): string => {
      const [id, setId] = useState<unknown>(undefined);
      set = setId;
      useSubscription("T", { id: id as never }, () => {});
      return "stands";
    };
    expect(renderToString(createElement(BellwireProvider, { client }, createElement(Page)))).to.equal("stands");
    await render(client, Page);
    expect(client.state).to.equal("idle");
    const errors: unknown[] = [];
    globals.reportError = (error: unknown) => errors.push(error);
    for (const id of [[1, undefined], NaN, 5n, {}]) await act(async () => set(id));
    await until(() => errors.length > 0);
    delete globals.reportError;
    expect(String(errors[0])).to.contain('The filter of "T": "id" is not');
    expect([text(), client.state]).to.deep.equal(["stands", "idle"]);
    await act(async () => set(5));
    await until(() => stage.relay.subscribes.length === 1);
    expect(stage.relay.subscribes.flat().map(({ filter }) => filter)).to.deep.equal([{ id: 5 }]);
  });

  it("tell nothing twice when a key changes, or a component comes again; and what they are told to of the past", async () => {
    stage.relay.subscribe = (item) =>
      confirmed(item, { messages: item.since === undefined && item.replay === undefined ? [[10, 0, {}]] : [] });
    const client = stage.client();
    const [told, young] = [[], []] as [number[], number[]];
    let set: (key: number | undefined) => void = () => {};
    const Card = (): string => {
      useSubscription("T", null, (event) => !event.resync && told.push(event.offset));
      useSubscription("Young", null, (event) => !event.resync && young.push(event.offset), { replay: { maxAge: 5 } });
      return "card";
    };
    await render(client, () => {
      const [key, setKey] = useState<number | undefined>(0);
      set = setKey;
      return key === undefined ? null : (createElement(Card, { key }) as never);
    });
    await until(() => told.length === 1);
    for (const key of [1, 2, undefined, 3]) {
      await act(async () => set(key));
      await settled(client);
      if (key === undefined) await until(() => stage.relay.unsubscribes.length > 0);
    }
    await until(() => stage.relay.subscribes.length === 2);
    await settled(client);
    expect([told, young]).to.deep.equal([[10], []]);
    expect(stage.relay.subscribes.flat().find(({ topic }) => topic === "Young")?.replay).to.deep.equal({ maxAge: 5 });
  });

  it("do nothing in a server-side rendering", () => {
    const client = stage.client();
    const Page = (): string => {
      useSubscription("T", null, () => {});
      return useConnectionState();
    };
    expect(renderToString(createElement(BellwireProvider, { client }, createElement(Page)))).to.equal("idle");
    expect(client.state).to.equal("idle");
  });
});

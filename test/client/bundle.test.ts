import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { JSDOM, VirtualConsole } from "jsdom";
import type * as bellwire from "@bellwire/client";
import type { Client } from "@bellwire/client";
import { heard, settled, state, until, useStage } from "./setup.js";

const client = fileURLToPath(new URL("../../client/", import.meta.url));
const script = (name: string): string => execFileSync(process.execPath, [`scripts/${name}.mjs`], { cwd: client, encoding: "utf8" });

describe("the bundle for the script tag", function () {
  this.timeout(30_000);
  const stage = useStage();
  let code: string;
  const pages: JSDOM[] = [];
  before(() => {
    script("bundle");
    code = readFileSync(`${client}dist/bundle/client.js`, "utf8");
  });
  afterEach(() => pages.splice(0).forEach((page) => page.window.close()));

  /** A page with the script inlined, as a browser would run it. */
  const load = (attributes: string): { bellwire: Client & typeof bellwire; errors: unknown[]; window: JSDOM["window"] } => {
    const errors: unknown[] = [];
    const virtualConsole = new VirtualConsole().on("jsdomError", (error) => errors.push(error)).on("warn", (line) => errors.push(line));
    const page = new JSDOM("<body></body>", { url: `http://127.0.0.1:${stage.relay.port}/`, runScripts: "dangerously", virtualConsole });
    // What jsdom lacks of a browser.
    Object.assign(page.window, { fetch: (url: string, how: RequestInit) => fetch(new URL(url, page.window.location.href), how), Headers });
    const tag = page.window.document.createElement("script");
    for (const [, name, value] of attributes.matchAll(/(\S+)="(.*?)"/g)) tag.setAttribute(name as string, value as string);
    tag.textContent = code;
    page.window.document.body.append(tag);
    pages.push(page);
    return { bellwire: (page.window as unknown as { bellwire: Client & typeof bellwire }).bellwire, errors, window: page.window };
  };

  it("keeps to its size", () => {
    expect(script("size")).to.match(/^client\.js: \d+ bytes gzipped, at most 18000/);
  });

  it("gives window.bellwire a client of data-endpoint, which works", async () => {
    const { bellwire, errors } = load('data-endpoint="/realtime"');
    expect(bellwire).to.include.keys("createClient", "withSubscriptions", "subscribe");
    const callback = heard();
    await bellwire.subscribe("T", { id: 5 }, callback).ready;
    stage.relay.messages("T", [11, 3, { id: 5, text: "\u{1F514} , [\x1e" }], [12, 3, { id: 6 }]);
    await callback.count(1);
    expect(callback.all).to.deep.equal([
      { topic: "T", data: { id: 5, text: "\u{1F514} , [\x1e" }, epoch: "e1", offset: 11, time: 3, replay: false },
    ]);
    expect(await bellwire.rpc("ping", [1])).to.deep.equal({ status: 201, data: { method: "ping", data: [1] } });
    for (const name of ["toString", "__proto__", "constructor"]) stage.relay.socket.emit(name, 1);
    await settled(bellwire);
    stage.relay.cut();
    await until(() => stage.relay.subscribes.length === 2);
    expect(stage.relay.socket.conn.transport.name).to.equal("websocket");
    expect(errors).to.deep.equal([]);
    bellwire.close();
  });

  it("falls back to polling where WebSocket is barred", async () => {
    const { bellwire, window } = load("");
    const barred = (): never => {
      throw new Error("barred");
    };
    Object.assign(window, { WebSocket: barred });
    const client = bellwire.createClient({ endpoint: "/realtime" });
    const callback = heard();
    await client.subscribe("T", callback).ready;
    expect(stage.relay.socket.conn.transport.name).to.equal("polling");
    stage.relay.messages("T", [11, 0, {}]);
    stage.relay.messages("T", [12, 0, {}]);
    await callback.count(2);
    stage.relay.socket.emit("bye", { code: "forbidden", message: "", retry: "never" });
    await state(client, "failed");
    client.close();
  });

  it("comes back from garbage, and from a disconnect by the server", async () => {
    const { bellwire } = load("");
    const client = bellwire.createClient({ endpoint: "/realtime", reconnect: { delays: [5] } });
    await client.subscribe("T", () => {}).ready;
    const ends = [
      () => stage.relay.socket.conn.write("2/site/s1,[broken"),
      () => stage.relay.socket.conn.write('2/site/s1,{"no":"list"}'),
      () => stage.relay.socket.disconnect(),
      () => stage.relay.socket.conn.close(true),
    ];
    for (const [i, end] of ends.entries()) {
      end();
      await until(() => stage.relay.subscribes.length === i + 2);
    }
    // Of another namespace: not for this client.
    stage.relay.socket.conn.write('2["bye",{"code":"forbidden","retry":"never"}]');
    await settled(client);
    expect(client.state).to.equal("connected");
    client.close();
  });

  it("tells of a refusal what the relay said", async () => {
    stage.relay.admit = () => ({ code: "wrong-site", message: "not yours", retry: "never" });
    const { bellwire, errors } = load('data-endpoint="/realtime"');
    bellwire.subscribe("T", () => {});
    await state(bellwire, "failed");
    expect(bellwire.error).to.include({ code: "wrong-site", message: "not yours" });
    expect(errors).to.deep.equal(['bellwire: "T": not yours (wrong-site)']);
  });

  it("gives the exports alone without data-endpoint, and the first of two tags wins", () => {
    const { bellwire, window } = load("");
    expect(bellwire).to.include.keys("createClient").and.not.to.include.keys("subscribe");
    window.eval(code);
    expect((window as unknown as { bellwire: unknown }).bellwire).to.equal(bellwire);
  });

  it("can be imported as a module, also outside a browser", async () => {
    const module = (await import(`${client}dist/bundle/client.mjs`)) as typeof bellwire;
    expect(module.createClient({ endpoint: "/realtime" }).state).to.equal("off");
  });
});

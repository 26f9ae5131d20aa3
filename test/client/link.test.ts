import { expect } from "chai";
import { Link, type LinkOptions } from "../../client/src/connection/link.js";
import { targetOf } from "../../client/src/connection/target.js";
import type { ClientError } from "../../client/src/errors.js";
import { usePage } from "./page.js";
import { state, until, useStage } from "./setup.js";

describe("a link", () => {
  const stage = useStage();
  const links: Link[] = [];
  afterEach(() => links.splice(0).forEach((link) => link.close()));

  const open = (options: Partial<LinkOptions> = {}): { link: Link; events: string[]; downs: ClientError[] } => {
    const events: string[] = [];
    const downs: ClientError[] = [];
    const link = new Link({
      target: targetOf(stage.relay.url, "s1", undefined),
      auth: { v: 1 },
      pollingOnly: false,
      patience: 10_000,
      withCredentials: false,
      report: (error) => downs.push(error as ClientError),
      onEvent: (name) => events.push(name),
      onDown: (error) => downs.push(error),
      ...options,
    });
    links.push(link);
    return { link, events, downs };
  };

  for (const pollingOnly of [false, true]) {
    it(`gets to hello over ${pollingOnly ? "polling" : "WebSocket"}`, async () => {
      const { events } = open({ pollingOnly });
      await until(() => events.includes("hello"));
      expect(stage.relay.socket.conn.transport.name).to.equal(pollingOnly ? "polling" : "websocket");
    });
  }

  it("is down once, with the relay's own error where it refuses", async () => {
    stage.relay.admit = () => ({ code: "limit", message: "full", retry: "later", after: 7 });
    const { downs, link } = open();
    await until(() => downs.length > 0);
    link.close();
    expect(downs.map(({ code, after }) => [code, after])).to.deep.equal([["limit", 7]]);
  });

  it("is down where nobody is there", async () => {
    const { downs } = open({ target: targetOf("ws://127.0.0.1:1", "s1", undefined) });
    await until(() => downs.length > 0);
    expect(downs[0]).to.include({ code: "unavailable", retry: "later" });
  });

  it("calls back once for each request: on the answer, in time, and at its end", async () => {
    const { link, events, downs } = open();
    await until(() => events.includes("hello"));
    const answers: unknown[] = [];
    link.request("unsubscribe", [], 1000, (error) => answers.push(error?.code));
    await until(() => answers.length === 1);
    link.request("publish", { topic: "Silent" }, 5, (error) => answers.push(error?.code));
    await until(() => answers.length === 2);
    link.request("publish", { topic: "Silent" }, 1000, (error) => answers.push(error?.code));
    link.close();
    link.request("publish", { topic: "Silent" }, 1000, (error) => answers.push(error?.code));
    expect(answers).to.deep.equal([undefined, "timeout", "unavailable", "unavailable"]);
    expect(downs).to.deep.equal([]);
  });

  it("ends when a check gets no sign of life", async () => {
    const { link, events, downs } = open();
    await until(() => events.includes("hello"));
    link.check(1000);
    await until(() => stage.relay.unsubscribes.length === 1);
    stage.relay.socket.removeAllListeners("unsubscribe");
    link.check(5);
    await until(() => downs.length > 0);
    expect(downs[0]?.code).to.equal("timeout");
    expect(link.isDown).to.equal(true);
  });
});

describe("a wake", () => {
  const stage = useStage();
  const page = usePage();

  it("brings a waiting client back at once", async () => {
    for (const wake of ["online", "visible"] as const) {
      const client = stage.client({ reconnect: { delays: [60_000], random: () => 0.1 } });
      client.connect();
      await state(client, "connected");
      stage.relay.cut();
      await state(client, "waiting");
      page[wake]();
      await state(client, "connected");
      client.close();
    }
  });

  it("makes a connected client look whether it still is", async () => {
    const client = stage.client();
    client.connect();
    await state(client, "connected");
    page.online();
    await until(() => stage.relay.unsubscribes.length === 1);
    expect(stage.relay.unsubscribes).to.deep.equal([[]]);
    client.close();
    page.online();
    page.visible();
    expect(client.state).to.equal("closed");
  });
});

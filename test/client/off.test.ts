import { expect } from "chai";
import type { Client, ClientOptions, State } from "@bellwire/client";
import { confirmed } from "./fake-relay.js";
import { usePage } from "./page.js";
import { heard, settled, state, until, useStage } from "./setup.js";

describe("a session that was up and is not any more", function () {
  // Before the first attempt that needs no reason.
  this.timeout(5000);
  const stage = useStage();
  const page = usePage();
  const warn = console.warn;
  let warnings: string[];
  beforeEach(() => {
    warnings = [];
    console.warn = (line: string) => warnings.push(line);
  });
  afterEach(() => {
    console.warn = warn;
  });

  /** A client whose session was up until the endpoint began to answer 401. */
  async function ended(options: Partial<ClientOptions> = {}): Promise<{ client: Client; states: State[] }> {
    const client = stage.client({ reconnect: { delays: [5], random: () => 0, offDelay: 6000 }, ...options });
    await client.subscribe("T", callback).ready;
    const states: State[] = [];
    client.onState((now) => states.push(now));
    stage.relay.answer = () => ({ status: 401 });
    stage.relay.socket.emit("subscribed", { id: "$1", topic: "News", filter: {}, epoch: "e1", offset: 3, messages: [], resync: false });
    stage.relay.socket.emit("bye", { code: "token-expired", message: "too old", retry: "refresh" });
    await state(client, "off");
    return { client, states };
  }
  let callback = heard();
  beforeEach(() => {
    callback = heard();
  });

  it("is `off` with its reason, said once in the console", async () => {
    const { client, states } = await ended({ reconnect: { delays: [5], random: () => 0, offDelay: 1 } });
    const { error } = client;
    expect(error).to.include({ code: "token-missing", retry: "refresh" });
    expect(error?.message).to.match(/^The token endpoint answered 401: nobody is signed in\. It is asked again/);
    expect([client.user, client.session]).to.deep.equal([undefined, undefined]);
    await until(() => stage.relay.tokenRequests.length > 4);
    expect(client.error?.message).to.equal(error?.message);
    expect(states).to.deep.equal(["waiting", "connecting", "off"]);
    expect(warnings).to.deep.equal([`bellwire: ${error?.message} (token-missing)`]);
    expect(await client.publish("T", {}).catch((thrown: Error) => thrown)).to.include({ code: "token-missing" });
  });

  it("is said to who listens, and then not in the console", async () => {
    const errors: Error[] = [];
    const { client } = await ended({ onError: (error) => errors.push(error) });
    expect(errors.at(-1)).to.equal(client.error);
    expect(warnings).to.deep.equal([]);
  });

  it("comes back by itself after a while, with what it missed", async () => {
    const { client, states } = await ended({ reconnect: { delays: [5], random: () => 0, offDelay: 20 } });
    await until(() => stage.relay.tokenRequests.length > 3);
    stage.relay.subscribe = (item) => confirmed(item, { offset: 12, messages: [[12, 0, { n: 12 }]] });
    stage.relay.answer = () => undefined;
    await callback.count(1);
    expect(callback.all[0]).to.include({ offset: 12, replay: false });
    expect(stage.relay.subscribes[1]?.[0]?.since).to.deep.equal({ epoch: "e1", offset: 10 });
    expect(stage.relay.auths[1]?.since).to.deep.equal([{ topic: "News", filter: {}, epoch: "e1", offset: 3 }]);
    expect([client.user, client.error, states.slice(3)]).to.deep.equal(["u1", undefined, ["connecting", "connected"]]);
  });

  const reasons: Record<string, (client: Client) => void> = {
    "the network is back": () => page.online(),
    "the page is looked at": () => page.visible(),
    "somebody subscribes": (client) => void client.subscribe("New", () => {}),
    "connect() is called": (client) => client.connect(),
  };
  for (const [reason, happen] of Object.entries(reasons)) {
    it(`comes back when ${reason}`, async () => {
      const { client } = await ended();
      stage.relay.answer = () => undefined;
      happen(client);
      await state(client, "connected");
      await settled(client);
      await until(() => stage.relay.subscribes.flat().some(({ since }) => since !== undefined));
    });
  }

  it("is asked for no more often than makes sense, however much is subscribed", async () => {
    const { client } = await ended();
    const before = stage.relay.tokenRequests.length;
    for (let i = 0; i < 100; i++) client.subscribe("T", { i }, () => {});
    await until(() => stage.relay.tokenRequests.length > before);
    expect(client.state).to.equal("off");
    expect(stage.relay.tokenRequests).to.have.length(before + 1);
  });

  it("is a matter of the next page after close()", async () => {
    const { client } = await ended({ reconnect: { delays: [5], random: () => 0, offDelay: 1 } });
    client.close();
    client.connect();
    await state(client, "off");
    expect(client.error).to.equal(undefined);
    expect(warnings).to.have.length(1);
  });
});

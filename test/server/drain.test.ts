import { connect } from "node:net";
import { expect } from "chai";
import { WebSocket } from "ws";
import { momentsToLeave } from "../../server/src/relay/drain.js";
import { RawClient } from "../support/socket.js";
import { connectToken } from "../support/tokens.js";
import { Poller } from "./poller.js";
import { eventually, eventuallyAsked, request } from "./stage.js";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";

describe("a relay that drains", () => {
  let relay: TestRelay;
  const clients: RawClient[] = [];
  beforeEach(async () => {
    relay = await createTestRelay();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await relay.close();
  });

  async function client(): Promise<RawClient> {
    const made = new RawClient({ url: relay.httpUrl, appKey: relay.appKey });
    clients.push(made);
    await made.hello;
    return made;
  }

  it("sends its clients away evenly: no second has more than twice the mean", () => {
    for (const count of [1, 10, 250, 5000]) {
      const times = momentsToLeave(count, { accept: 5000, spread: 20_000, rate: 100 });
      expect(Math.min(...times)).to.be.at.least(5000);
      const seconds = new Map<number, number>();
      for (const at of times) seconds.set(Math.floor((at - 5001) / 1000), (seconds.get(Math.floor((at - 5001) / 1000)) ?? 0) + 1);
      const mean = count / Math.max(1, Math.ceil((Math.max(...times) - 5000) / 1000));
      expect(Math.max(...seconds.values())).to.be.at.most(Math.ceil(mean * 2));
    }
  });

  it("is not ready at once, still takes connections for a while, and tells each client its own moment", async () => {
    const [a, b] = [await client(), await client()];
    const told = [a, b].map(
      (each) => new Promise<number>((resolve) => each.socket.once("draining", ({ reconnectIn }) => resolve(reconnectIn))),
    );
    const drained = relay.relay.drain({ accept: 300, spread: 400, rate: 5 });
    expect((await fetch(`${relay.httpUrl}/readyz`)).status).to.equal(503);
    expect((await fetch(`${relay.httpUrl}/healthz`)).status).to.equal(200);
    const late = await client();
    const moments = await Promise.all(told);
    expect(new Set(moments).size).to.equal(2);
    for (const moment of moments) expect(moment).to.be.within(100, 700);
    // Those that know how to leave do so by themselves; the others are closed, and told why.
    a.close();
    const farewell = new Promise<{ code: string; retry: string }>((resolve) => b.socket.once("bye", resolve));
    const reason = new Promise<string>((resolve) => b.socket.once("disconnect", resolve));
    expect(await farewell).to.include({ code: "draining", retry: "later" });
    expect(await reason, "by closing the transport, so that any client comes back").to.equal("transport close");
    const lateIsGone = new Promise((resolve) => late.socket.once("disconnect", resolve));
    await drained;
    await lateIsGone;
    expect(relay.relay.gateway?.connections.size).to.equal(0);
  });

  it("does not wait for polling sessions that nobody polls any more, as when a balancer has moved their clients", async function () {
    this.timeout(10_000); // such a session's ping times out after 25 s
    for (let i = 0; i < 5; i++) {
      const left = await Poller.open(relay.httpUrl);
      await left.send(`40/site/5,${JSON.stringify({ v: 1, token: connectToken(relay.appKey) })}`);
    }
    await eventually(() => relay.relay.gateway?.connections.size === 5, "five sessions are there");
    await relay.relay.drain({ accept: 0, spread: 300, rate: 100 });
    expect(relay.relay.gateway?.connections.size).to.equal(0);
  });
});

describe("a relay that turns newcomers away", () => {
  it("answers new sessions with 503, so that a balancer goes elsewhere, and ends although somebody never reads", async () => {
    const relay = await createTestRelay();
    const open = new RawClient({ url: relay.httpUrl, appKey: relay.appKey, transports: ["polling"] });
    await open.hello;
    // Never read: the response waits in the kernel.
    const unread = connect(relay.port, "127.0.0.1");
    unread.pause();
    unread.write("GET /client.js HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200));
    const draining = relay.relay.drain({ accept: 0, spread: 500, rate: 1 });
    await eventuallyAsked(
      async () => (await fetch(`${relay.httpUrl}/socket.io/?EIO=4&transport=polling`)).status === 503,
      "newcomers are refused",
    );
    const answer = await fetch(`${relay.httpUrl}/socket.io/?EIO=4&transport=polling`);
    expect(answer.status).to.equal(503);
    expect(((await answer.json()) as { error: { code: string } }).error.code).to.equal("draining");
    const upgrade = new WebSocket(`ws://127.0.0.1:${relay.port}/socket.io/?EIO=4&transport=websocket`);
    const status = await new Promise((resolve) =>
      upgrade.once("unexpected-response", (_request, response) => resolve(response.statusCode)),
    );
    expect(status).to.equal(503);
    const { text } = await request(`${relay.httpUrl}/metrics`);
    const turnedAway = Number(/http_refusals_total\{code="draining"\} (\d+)/.exec(text)?.[1]);
    expect(turnedAway, "each is counted").to.be.at.least(3);
    expect(open.socket.connected, "sessions that are open go on").to.equal(true);
    open.close();
    await draining;
    await relay.close();
    unread.destroy();
  });
});

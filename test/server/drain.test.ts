import { expect } from "chai";
import { departures } from "../../server/src/drain.js";
import { RawClient } from "../support/socket.js";
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
      const times = departures(count, { accept: 5000, spread: 20_000, rate: 100 });
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

  it("refuses with `draining` who comes after that", async () => {
    await relay.relay.drain({ accept: 0, spread: 0, rate: 100 });
    const late = new RawClient({ url: relay.httpUrl, appKey: relay.appKey });
    clients.push(late);
    const error = await late.hello.then(
      () => undefined,
      (refused: { data?: unknown }) => refused.data,
    );
    expect(error).to.deep.include({ code: "draining", retry: "later" });
  });
});

import { EventEmitter, once } from "node:events";
import { expect } from "chai";
import fc from "fast-check";
import { io } from "socket.io-client";
import { momentOf, Refusals } from "../../server/src/socket/refusals.js";
import { connectToken } from "../support/tokens.js";
import { Packets } from "./packets.js";
import { Poller } from "./poller.js";
import { eventually, Stage } from "./stage.js";

const CLOSED_BY_SOCKET_IO_MS = 10_000;
const expired = { code: "token-expired", retry: "refresh" } as const;

/** What of a client is looked at; `lost` once its transport is. */
function fakeClient() {
  const conn = Object.assign(new EventEmitter(), { readyState: "open", writeBuffer: [], close: () => (client.lost = true) });
  const client = { conn, lost: false };
  return client;
}

describe("a client that was refused", function () {
  this.timeout(20_000);
  const stage = Stage.forEachTest();

  it("loses its transport after a moment of its own, before socket.io would close it in order, or not at all", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.option(fc.nat(1e9), { nil: undefined }),
        fc.constantFrom("refresh", "later", "never"),
        (random, after, retry) => {
          const moment = momentOf({ retry, ...(after === undefined ? {} : { after }) } as never, random);
          if (retry === "never") return moment === undefined;
          return moment !== undefined && moment >= 1000 && moment < CLOSED_BY_SOCKET_IO_MS;
        },
      ),
    );
    const moments = Array.from({ length: 100 }, (_, i) => momentOf({ retry: "later" } as never, i / 100));
    expect(new Set(moments).size).to.equal(100);
  });

  it("stays where it is let in meanwhile, and loses one transport once however often it was refused", async () => {
    const admitted = new Set<unknown>();
    const refusals = new Refusals(
      (client) => admitted.has(client),
      () => 0,
    );
    const [patient, stubborn, gone, last] = [fakeClient(), fakeClient(), fakeClient(), fakeClient()];
    for (let i = 0; i < 1000; i++) refusals.add(stubborn as never, expired as never);
    expect(stubborn.conn.listenerCount("close")).to.equal(1);
    for (const client of [patient, gone, last]) refusals.add(client as never, expired as never);
    refusals.add(patient as never, { retry: "never" } as never);
    admitted.add(patient);
    gone.conn.emit("close");
    await eventually(() => last.lost, "the last one has lost its transport");
    expect([patient.lost, stubborn.lost, gone.lost]).to.deep.equal([false, true, false]);
    for (const { conn } of [patient, stubborn, gone, last]) expect(conn.listenerCount("close")).to.equal(0);
  });

  it("hears why, and then its transport is lost as a network would lose it", async () => {
    const relay = await stage.relay();
    const connect = `40/site/5,${JSON.stringify({ v: 1, token: connectToken(relay.appKey, { exp: 1 }) })}`;
    const poller = await Poller.open(relay.httpUrl);
    await poller.send(connect);
    const refused = await poller.poll();
    expect(refused).to.match(/^44\/site\/5,.*"token-expired"/);
    const lost = poller.poll();
    const client = await Packets.open(relay.url);
    stage.closeLater(() => client.close());
    client.send(connect);
    const closed = once(client.ws, "close");
    expect(await client.find((packet) => packet.startsWith("44"))).to.equal(refused);
    expect(((await closed) as [number])[0], "1006 stands for no close frame").to.equal(1006);
    expect(await lost, "nothing").to.equal("6");
    expect((await poller.get()).status, "an unknown session").to.equal(400);
  });

  it("comes back by socket.io's own client with the lines that the protocol's text gives", async () => {
    const relay = await stage.relay();
    let fetched = 0;
    const socket = io(`${relay.url}/site/5`, {
      transports: ["websocket"],
      forceNew: true,
      auth: (answer) => answer({ v: 1, token: connectToken(relay.appKey, fetched++ === 0 ? { exp: 1 } : {}) }),
    });
    stage.closeLater(() => socket.disconnect());
    socket.on("connect_error", (error) => {
      const { retry, after = 0 } = (error as Error & { data?: { retry?: string; after?: number } }).data ?? {};
      if (!socket.active && retry !== "never") setTimeout(() => socket.connect(), after + 1000 + Math.random() * 4000);
    });
    await new Promise((resolve) => socket.once("hello", resolve));
    expect(fetched).to.equal(2);
  });
});

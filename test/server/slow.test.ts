import { connect, type Socket } from "node:net";
import { expect } from "chai";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { WebSocket } from "ws";
import { RawClient } from "../support/socket.js";
import { connectToken } from "../support/tokens.js";

describe("a client that does not read", () => {
  let relay: TestRelay;
  let stuck: WebSocket;
  before(async () => {
    relay = await createTestRelay({ env: {} });
  });
  after(async () => {
    stuck?.terminate();
    await relay.close();
  });

  it("is closed as slow past a bound of waiting bytes, and holds nobody else up", async function () {
    this.timeout(30_000);
    const { gateway, stats, log } = relay.relay;
    stuck = new WebSocket(`ws://127.0.0.1:${relay.port}/socket.io/?EIO=4&transport=websocket`, {
      createConnection: () => connect({ port: relay.port, host: "127.0.0.1" }) as Socket,
    });
    const grants = [{ topic: "*" }];
    await new Promise<void>((resolve) => {
      stuck.on("message", (data) => {
        const text = String(data);
        if (text.startsWith("0")) stuck.send(`40/site/5,${JSON.stringify({ token: connectToken(relay.appKey, { grants }) })}`);
        if (text.includes('"hello"')) stuck.send('42/site/5,1["subscribe",[{"id":"s","topic":"Flood"}]]');
        if (text.startsWith("43/site/5,1")) resolve();
      });
    });
    // From now on the kernel's buffers fill up, then engine.io's.
    (stuck as unknown as { _socket: Socket })._socket.pause();
    const reader = new RawClient({ url: relay.httpUrl, appKey: relay.appKey, claims: { grants } });
    await reader.hello;
    await reader.emit("subscribe", [{ id: "s", topic: "Flood" }]);
    const data = JSON.stringify({ pad: "x".repeat(4000) });
    let published = 0;
    while (stats.slow === 0) {
      await log.append({ site: "5", topic: "Flood", data, id: String(published), idempotent: false, retry: false }, 1000);
      published++;
      if (published % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      expect(published, "messages of 4 KB before the bound was noticed").to.be.lessThan(10_000);
    }
    await reader.until(() => reader.messages("Flood").length === published);
    expect(gateway?.connections.size).to.equal(1);
    expect(stats.slow).to.equal(1);
    reader.close();
  });
});

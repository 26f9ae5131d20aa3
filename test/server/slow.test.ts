import { connect, type Socket } from "node:net";
import { expect } from "chai";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { createLogger, createRelay } from "@bellwire/server";
import { WebSocket } from "ws";
import { RawClient } from "../support/socket.js";
import { connectToken } from "../support/tokens.js";
import { eventually } from "./stage.js";

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

  it("is closed too where what waits are large answers", async function () {
    this.timeout(30_000);
    const calling = createRelay({
      env: { APP_KEY: "k".repeat(40), REALTIME_API_KEY: "a".repeat(20), REALTIME_WS_PORT: "0", REALTIME_WS_HOST: "127.0.0.1" },
      logger: createLogger({ write: () => undefined }),
    });
    let calls = 0;
    calling.handle("large", () => {
      calls++;
      return "x".repeat(500_000);
    });
    await calling.start();
    const greedy = new WebSocket(`ws://127.0.0.1:${calling.port}/socket.io/?EIO=4&transport=websocket`);
    await new Promise<void>((resolve) => {
      greedy.on("message", (data) => {
        if (String(data).startsWith("0")) greedy.send(`40/site/5,${JSON.stringify({ token: connectToken("k".repeat(40)) })}`);
        if (String(data).includes('"hello"')) resolve();
      });
    });
    (greedy as unknown as { _socket: Socket })._socket.pause();
    const { stats, gateway } = calling.relay;
    for (let sent = 0; stats.slow === 0; sent++) {
      greedy.send(`42/site/5,${sent}["rpc",{"method":"large"}]`);
      await new Promise((resolve) => setTimeout(resolve, 10)); // frames have a rate
      expect(sent, "answers of 500 KB before the bound was noticed").to.be.below(150);
    }
    expect(calls).to.be.below(150);
    await eventually(() => gateway?.connections.size === 0, "the socket is gone");
    greedy.terminate();
    await calling.close();
  });
});

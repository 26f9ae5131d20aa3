import { expect } from "chai";
import { stablePort } from "../support/stable-port.js";
import { Packets } from "./packets.js";
import { post, publish, request, Stage } from "./stage.js";

describe("what a relay serves where", () => {
  const stage = Stage.forEachTest();

  it("is the same with and without the path of the public URL, for HTTP and for sockets", async () => {
    for (const publicUrl of ["wss://example.com/ws", "https://example.com/ws/"]) {
      const relay = await stage.relay({ env: { REALTIME_PUBLIC_URL: publicUrl } });
      for (const path of ["/healthz", "/ws/healthz", "/readyz", "/ws/readyz", "/ws/metrics", "/ws/client.js", "/ws/v1/openapi.json"]) {
        expect((await request(relay.httpUrl + path)).status, path).to.equal(200);
      }
      for (const path of ["/wshealthz", "/other/healthz", "/ws"]) {
        expect((await request(relay.httpUrl + path)).status, path).to.equal(404);
      }
      for (const base of [relay.httpUrl, `${relay.httpUrl}/ws`]) {
        expect((await post(relay, "5", { topic: "news", data: {} }, { base })).status).to.equal(200);
      }
      for (const path of ["/socket.io/", "/ws/socket.io/"]) {
        for (const transport of ["websocket", "polling"]) {
          const client = await stage.connect(relay, { path, transports: [transport] });
          await client.subscribe({ id: "1", topic: "news", replay: false });
          await publish(relay, "news", { path });
          await client.until(() => client.messages("news").length === 1);
        }
      }
    }
  });

  it("is nothing under another path, where the public URL has none", async () => {
    const relay = await stage.relay();
    expect((await request(`${relay.httpUrl}/ws/healthz`)).status).to.equal(404);
    expect((await request(`${relay.httpUrl}/ws/socket.io/?EIO=4&transport=polling`)).status).to.equal(404);
  });

  it("leaves the API and the metrics to the internal port alone, where there is one", async () => {
    const relay = await stage.relay({ env: { REALTIME_INTERNAL_PORT: "0", REALTIME_PUBLIC_URL: "wss://example.com/ws" } });
    const internal = `http://127.0.0.1:${relay.relay.internalPort}`;
    expect(relay.relay.internalPort).to.be.above(0).and.not.to.equal(relay.port);
    for (const base of [relay.httpUrl, `${relay.httpUrl}/ws`]) {
      for (const path of ["/v1/openapi.json", "/metrics"]) expect((await request(base + path)).status, base + path).to.equal(404);
      expect((await post(relay, "5", { topic: "news" }, { base })).status).to.equal(404);
    }
    for (const path of ["/v1/openapi.json", "/metrics"]) expect((await request(internal + path)).status, path).to.equal(200);
    for (const base of [relay.httpUrl, internal]) {
      expect(await request(`${base}/healthz`), "health answers on both").to.deep.include({ status: 200, body: { status: "alive" } });
      expect(await request(`${base}/readyz`)).to.deep.include({ status: 200, body: { status: "ready", redis: "none" } });
    }
    for (const path of ["/socket.io/?EIO=4&transport=polling", "/client.js"]) {
      expect((await request(internal + path)).status, path).to.equal(404);
    }
    const client = await stage.connect(relay);
    await client.subscribe({ id: "1", topic: "news" });
    expect((await post(relay, "5", { topic: "news", data: { id: 1 } }, { base: internal })).status).to.equal(200);
    await client.until(() => client.messages("news").length === 1);
    expect((await post(relay, "5", { topic: "news" }, { base: internal, key: "wrong" })).status).to.equal(401);
  });

  it("is health alone, where realtime is switched off", async () => {
    const relay = await stage.relay({
      env: { REALTIME_ENABLED: "false", REALTIME_INTERNAL_PORT: "0", REDIS_URL: `redis://127.0.0.1:${await stablePort()}` },
    });
    expect((await request(`http://127.0.0.1:${relay.relay.internalPort}/readyz`)).status).to.equal(200);
    expect((await request(`${relay.httpUrl}/healthz`)).status).to.equal(200);
    expect(await request(`${relay.httpUrl}/readyz`)).to.deep.include({ status: 200, body: { status: "ready", redis: "none" } });
    for (const path of ["/socket.io/?EIO=4&transport=polling", "/metrics"])
      expect((await request(relay.httpUrl + path)).status, path).to.equal(404);
    const attempt = Packets.open(relay.url).then(
      (opened) => opened.close(),
      (error: unknown) => error,
    );
    expect(await attempt).to.be.an.instanceOf(Error);
  });
});

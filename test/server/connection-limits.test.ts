import { request as httpRequest, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { expect } from "chai";
import { WebSocket } from "ws";
import type { TestRelay } from "@bellwire/server/testing";
import { connectToken } from "../support/tokens.js";
import { refusal } from "../support/socket.js";
import { Packets } from "./packets.js";
import { eventually, Stage } from "./stage.js";

const POLLING = "/socket.io/?EIO=4&transport=polling";
const PROXIED = { env: { REALTIME_TRUSTED_PROXIES: "127.0.0.1" } };

async function handshake(
  relay: TestRelay,
  address: string,
): Promise<{ status: number; headers: IncomingMessage["headers"]; text: string }> {
  const sent = httpRequest(`${relay.httpUrl}${POLLING}`, { headers: { "x-forwarded-for": address }, agent: false }).end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

/** A client that comes through a proxy, admitted. */
async function admitted(relay: TestRelay, address: string, claims: object = {}): Promise<Packets> {
  const client = await Packets.open(relay.url, { headers: { "x-forwarded-for": address } });
  client.send(`40/site/5,${JSON.stringify({ v: 1, token: connectToken(relay.appKey, claims) })}`);
  await client.find((packet) => packet.includes('"hello"'));
  return client;
}

describe("limits of connections", () => {
  const stage = Stage.forEachTest();

  it("bound the handshakes of one address, and are told before anything is built", async () => {
    const relay = await stage.relay({ ...PROXIED, file: { limits: { handshakesPerSecond: 2 } } });
    const answers = [];
    for (let i = 0; i < 30; i++) answers.push(await handshake(relay, "198.51.100.1"));
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.length, "twenty at once, and two a second").to.be.within(1, 10);
    for (const { status, headers, text } of refused) {
      expect(status).to.equal(429);
      expect(headers["retry-after"]).to.equal("1");
      expect(JSON.parse(text)).to.have.nested.property("error.code", "limit");
    }
    const ws = new WebSocket(`${relay.url}/socket.io/?EIO=4&transport=websocket`, { headers: { "x-forwarded-for": "198.51.100.1" } });
    const [error] = (await once(ws, "error")) as [Error];
    expect(error.message).to.contain("429");
    expect((await handshake(relay, "198.51.100.2")).status, "another address").to.equal(200);
  });

  it("bound the connections of one address that are not admitted, until they are or go", async () => {
    const relay = await stage.relay({ ...PROXIED, file: { limits: { waitingPerAddress: 3 } } });
    const open = await Promise.all([1, 2, 3].map(() => Packets.open(relay.url, { headers: { "x-forwarded-for": "198.51.100.1" } })));
    for (const each of open) stage.closeLater(() => each.close());
    expect((await handshake(relay, "198.51.100.1")).status).to.equal(429);
    expect((await handshake(relay, "198.51.100.2")).status, "another address").to.equal(200);
    open[0]?.send(`40/site/5,${JSON.stringify({ v: 1, token: connectToken(relay.appKey) })}`);
    await open[0]?.find((packet) => packet.includes('"hello"'));
    expect((await handshake(relay, "198.51.100.1")).status, "one of them has been admitted").to.equal(200);
    expect((await handshake(relay, "198.51.100.1")).status).to.equal(429);
    await open[1]?.close();
    let last = 0;
    for (let i = 0; i < 100 && last !== 200; i++) last = (await handshake(relay, "198.51.100.1")).status;
    expect(last, "another has gone").to.equal(200);
  });

  for (const [limit, same, other] of [
    ["connections", {}, undefined],
    ["connectionsPerUser", { sub: "ann", sid: undefined }, { sub: "bob", sid: undefined }],
    ["connectionsPerSession", { sub: "", sid: "s1" }, { sub: "", sid: "s2" }],
  ] as const) {
    it(`are those of the configuration: ${limit}`, async () => {
      const relay = await stage.relay({ file: { limits: { [limit]: 2 } } });
      const first = await stage.connect(relay, { claims: same });
      await stage.connect(relay, { claims: same });
      for (let i = 0; i < 3; i++) {
        const error = await refusal(stage.client(relay, { claims: same }));
        expect(error).to.deep.include({ code: "limit", retry: "later", after: 5000 });
      }
      if (other !== undefined) await stage.connect(relay, { claims: other });
      await stage.connect(relay, { site: "6", claims: same });
      const { gateway } = relay.relay;
      const open = gateway?.connections.size ?? 0;
      first.close();
      await eventually(() => gateway?.connections.size === open - 1, "the first has gone");
      await stage.connect(relay, { claims: same });
    });
  }

  it("are those of the configuration: connectionsPerAddress", async () => {
    const relay = await stage.relay({ ...PROXIED, file: { limits: { connectionsPerAddress: 1 } } });
    const first = await admitted(relay, "198.51.100.1");
    stage.closeLater(() => first.close());
    const second = await Packets.open(relay.url, { headers: { "x-forwarded-for": "198.51.100.1" } });
    stage.closeLater(() => second.close());
    second.send(`40/site/6,${JSON.stringify({ v: 1, token: connectToken(relay.appKey, { site: "6", sub: "bob" }) })}`);
    expect(await second.find((packet) => packet.startsWith("44/site/6,"))).to.contain('"code":"limit"');
    const elsewhere = await admitted(relay, "198.51.100.2");
    await elsewhere.close();
  });

  it("hold for those who ask all at once, and no place is lost to those who go on the way", async () => {
    const relay = await stage.relay({ file: { limits: { connectionsPerUser: 5 } } });
    const connect = `40/site/5,${JSON.stringify({ v: 1, token: connectToken(relay.appKey) })}`;
    const hasty = await Promise.all(Array.from({ length: 40 }, () => Packets.open(relay.url)));
    for (const each of hasty) {
      each.send(connect);
      each.ws.terminate();
    }
    await eventually(() => relay.relay.gateway?.connections.size === 0, "they are gone");
    const all = await Promise.all(Array.from({ length: 20 }, () => Packets.open(relay.url)));
    for (const each of all) each.send(connect);
    await Promise.all(all.map((each) => each.find((packet) => packet.includes('"hello"') || packet.startsWith("44"))));
    expect(relay.relay.gateway?.connections.size).to.equal(5);
    await Promise.all(all.map((each) => each.close()));
  });
});

import { once } from "node:events";
import type { Socket } from "node:net";
import { expect } from "chai";
import { createClient } from "@bellwire/client";
import { BellwireError } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import { io } from "socket.io-client";
import { WebSocket } from "ws";
import { socketOf } from "../support/relay-sockets.js";
import { connectToken } from "../support/tokens.js";
import { Packets } from "./packets.js";
import { Poller } from "./poller.js";
import { eventually, Stage } from "./stage.js";

type Connection = NonNullable<TestRelay["relay"]["gateway"]>["connections"] extends ReadonlySet<infer Each> ? Each : never;

const LATER = new BellwireError("unavailable", "Come back");
const REFRESH = new BellwireError("revoked", "Come back with another token");
const NEVER = new BellwireError("forbidden", "Stay away");

describe("the end of a connection", function () {
  this.timeout(20_000);
  const stage = Stage.forEachTest();

  const connect = ({ appKey }: TestRelay): string => `40/site/5,${JSON.stringify({ v: 1, token: connectToken(appKey) })}`;

  async function packets(relay: TestRelay): Promise<Packets> {
    const opened = await Packets.open(relay.url);
    stage.closeLater(() => opened.close());
    opened.send(connect(relay));
    await opened.find((packet) => packet.includes('"hello"'));
    return opened;
  }

  async function poller(relay: TestRelay): Promise<Poller> {
    const opened = await Poller.open(relay.httpUrl);
    await opened.send(connect(relay));
    let heard = "";
    while (!heard.includes('"hello"')) heard += await opened.poll();
    return opened;
  }

  function connectionOf({ relay }: TestRelay): Connection {
    const [connection] = relay.gateway?.connections ?? [];
    if (connection === undefined) throw new Error("Nobody is connected");
    return connection;
  }

  const tcpOf = (connection: Connection): Socket =>
    (socketOf(connection).conn.transport as unknown as { socket: { _socket: Socket } }).socket._socket;

  for (const error of [LATER, REFRESH]) {
    it(`by ${error.retry} is a bye and then, on WebSocket, no close frame: a lost connection, after which any library comes back`, async () => {
      const relay = await stage.relay();
      const client = await packets(relay);
      const closed = once(client.ws, "close");
      connectionOf(relay).bye(error);
      const [code] = (await closed) as [number];
      expect(code, "1006 stands for no close frame").to.equal(1006);
      expect(client.received.at(-1)).to.equal(`42/site/5,["bye",${JSON.stringify(error)}]`);
    });

    it(`by ${error.retry} is a bye and then, on polling, an unknown session, whether or not a poll waits`, async () => {
      const relay = await stage.relay();
      for (const waiting of [true, false]) {
        const client = await poller(relay);
        const before = waiting ? client.poll() : undefined;
        if (waiting) await eventually(() => socketOf(connectionOf(relay)).conn.transport.writable, "the poll waits");
        connectionOf(relay).bye(error);
        expect(await (before ?? client.poll())).to.equal(`42/site/5,["bye",${JSON.stringify(error)}]`);
        const { status, text } = await client.get();
        expect([status, JSON.parse(text)]).to.deep.equal([400, { code: 1, message: "Session ID unknown" }]);
        expect(relay.relay.gateway?.connections.size).to.equal(0);
      }
    });
  }

  it("waits while a client changes from polling to WebSocket, and then is as on any WebSocket", async () => {
    const relay = await stage.relay();
    const client = await poller(relay);
    const upgrade = new WebSocket(`${relay.url}/socket.io/?EIO=4&transport=websocket&sid=${client.sid}`);
    const heard: string[] = [];
    upgrade.on("message", (data: Buffer) => heard.push(data.toString()));
    await once(upgrade, "open");
    upgrade.send("2probe");
    await eventually(() => heard.includes("3probe"), "the probe is answered");
    connectionOf(relay).bye(LATER);
    expect(await client.poll()).to.include('"bye"');
    expect(upgrade.readyState, "it listens to neither transport at this moment").to.equal(WebSocket.OPEN);
    const closed = once(upgrade, "close");
    upgrade.send("5");
    expect(((await closed) as [number])[0]).to.equal(1006);
    await eventually(() => relay.relay.gateway?.connections.size === 0, "the connection is gone");
  });

  it("comes within seconds where the peer neither reads nor answers, and where nobody polls", async () => {
    const relay = await stage.relay();
    const ends: Promise<unknown>[] = [];
    for (const error of [LATER, NEVER]) {
      const client = await packets(relay);
      ends.push(once(tcpOf(connectionOf(relay)), "close"));
      (client.ws as unknown as { _socket: Socket })._socket.pause();
      connectionOf(relay).bye(error);
      await eventually(() => relay.relay.gateway?.connections.size === 0, "what remains is the TCP connection alone");
    }
    for (const error of [NEVER, LATER]) {
      await poller(relay);
      const connection = connectionOf(relay);
      ends.push(once(socketOf(connection).conn as never, "close"));
      connection.bye(error);
    }
    await Promise.all(ends);
    expect(relay.relay.gateway?.connections.size).to.equal(0);
  });

  it("comes within seconds where much waits for a peer that does not read", async () => {
    const relay = await stage.relay({ env: {} });
    const client = await packets(relay);
    const connection = connectionOf(relay);
    const tcp = tcpOf(connection);
    (client.ws as unknown as { _socket: Socket })._socket.pause();
    while (tcp.writableLength === 0) {
      socketOf(connection).emit("tickets", [[null, "x".repeat(100_000)]]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const closed = once(tcp, "close");
    connection.bye(LATER);
    await closed;
    await eventually(() => relay.relay.gateway?.connections.size === 0, "the connection is gone");
  });

  it("by never is a Socket.IO disconnect, after which libraries stay away", async () => {
    const relay = await stage.relay();
    const client = await packets(relay);
    const closed = once(client.ws, "close");
    connectionOf(relay).bye(NEVER);
    await closed;
    expect(client.received.slice(-2)).to.deep.equal([`42/site/5,["bye",${JSON.stringify(NEVER)}]`, "41/site/5,"]);
  });

  for (const transport of ["websocket", "polling"]) {
    it(`brings socket.io's own client back by ${transport}, once`, async () => {
      const relay = await stage.relay();
      const auth = { v: 1, token: connectToken(relay.appKey) };
      const socket = io(`${relay.url}/site/5`, { transports: [transport], forceNew: true, reconnectionDelay: 50, auth });
      stage.closeLater(() => socket.disconnect());
      const said: string[] = [];
      for (const name of ["hello", "bye"]) socket.on(name, () => said.push(name));
      await eventually(() => said.length === 1, "it is there");
      for (const error of [LATER, REFRESH]) {
        connectionOf(relay).bye(error);
        await eventually(() => said.length === 3, "it is back");
        expect(said.splice(0, 2)).to.deep.equal(["hello", "bye"]);
      }
      const disconnected = new Promise((resolve) => socket.once("disconnect", resolve));
      connectionOf(relay).bye(NEVER);
      expect(await disconnected).to.equal("io server disconnect");
      expect([socket.active, said]).to.deep.equal([false, ["hello", "bye"]]);
    });
  }

  it("brings Bellwire's client back, once", async () => {
    const relay = await stage.relay();
    const states: string[] = [];
    const client = createClient({
      url: relay.url,
      site: "5",
      getConnectionToken: () => connectToken(relay.appKey),
      reconnect: { delays: [50] },
      onError: () => undefined,
    });
    stage.closeLater(() => client.close());
    client.onState((state) => states.push(state));
    client.connect();
    await eventually(() => states.at(-1) === "connected", "it is there");
    connectionOf(relay).bye(LATER);
    await eventually(() => states.filter((state) => state === "connected").length === 2, "it is back");
    expect(relay.relay.gateway?.connections.size).to.equal(1);
  });
});

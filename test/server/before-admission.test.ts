import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import { WebSocket } from "ws";
import { connectToken } from "../support/tokens.js";
import { LONGEST_STALL_MS, Victim } from "../support/victim.js";
import { Packets } from "./packets.js";
import { Poller } from "./poller.js";
import { eventually, namespacesOf, Stage } from "./stage.js";

const MB = 1_048_576;
const SEPARATOR = "\u001e";
const PATH = "/socket.io/?EIO=4&transport=websocket";

describe("before it is admitted, a client", function () {
  this.timeout(60_000);
  let victim: Victim;
  const open: WebSocket[] = [];
  before(async () => (victim = await Victim.start()));
  after(() => victim.close());
  afterEach(() => {
    for (const ws of open.splice(0)) ws.terminate();
  });

  /** Sends a body to a polling session, and resolves with the status; 0 where the connection was cut. */
  async function send(poller: Poller, body: string): Promise<number> {
    const url = `${victim.address.httpUrl}/socket.io/?EIO=4&transport=polling&sid=${poller.sid}`;
    try {
      const response = await fetch(url, { method: "POST", body });
      await response.arrayBuffer();
      return response.status;
    } catch {
      return 0;
    }
  }

  async function unreading(): Promise<{ ws: WebSocket; closed: Promise<unknown> }> {
    const ws = new WebSocket(`${victim.address.url}${PATH}`, { perMessageDeflate: false });
    ws.on("error", () => undefined);
    open.push(ws);
    const closed = once(ws, "close");
    await once(ws, "open");
    return { ws, closed };
  }

  it("can't have a hundred thousand namespaces built with one request", async () => {
    const packets = Array.from({ length: 120_888 }, (_, i) => `40/${(i % 36).toString(36)},`).join(SEPARATOR);
    const few = Array.from({ length: 30_000 }, () => "40/x,").join(SEPARATOR);
    const { stall, grown } = await victim.under(async () => {
      for (let round = 0; round < 5; round++) {
        const large = await Poller.open(victim.address.httpUrl);
        expect(await send(large, packets), "longer than anybody needs").to.be.oneOf([413, 0]);
        const many = await Poller.open(victim.address.httpUrl);
        await send(many, few);
        expect(await send(many, "3"), "the session has ended").to.be.oneOf([400, 0]);
      }
    });
    expect(stall).to.be.below(LONGEST_STALL_MS);
    expect(grown).to.be.below(60 * MB);
  });

  it("can't have memory filled with answers that it does not read, neither to CONNECTs nor to pings", async () => {
    const flood = async (say: (ws: WebSocket) => void): Promise<void> => {
      const { ws, closed } = await unreading();
      (ws as unknown as { _socket: Socket })._socket.pause();
      let ended = false;
      // A peer that does not read hears of its end where it writes.
      (ws as unknown as { _socket: Socket })._socket.on("error", () => (ended = true));
      void closed.then(() => (ended = true));
      for (let round = 0; round < 400 && !ended; round++) {
        for (let i = 0; i < 1000; i++) say(ws);
        await pause(5);
      }
      expect(ended, "the relay has ended it").to.equal(true);
    };
    const { stall, grown } = await victim.under(async () => {
      const pings = Array.from({ length: 4 }, () => flood((ws) => ws.ping("x".repeat(120))));
      const connects = Array.from({ length: 4 }, () => flood((ws) => ws.send("40/x,")));
      await Promise.all([...pings, ...connects]);
    });
    expect(stall).to.be.below(LONGEST_STALL_MS);
    expect(grown).to.be.below(60 * MB);
  });

  it("and after it too, a socket that does not read is ended when it asks for other sites again and again", async () => {
    const { stall, grown } = await victim.under(async () => {
      const { address } = victim;
      const client = await Packets.open(address.url);
      client.send(`40/site/attacker,${JSON.stringify({ v: 1, token: connectToken(address.appKey, { site: "attacker" }) })}`);
      await client.find((packet) => packet.includes('"hello"'));
      const socket = (client.ws as unknown as { _socket: Socket })._socket;
      socket.pause();
      let ended = false;
      socket.on("error", () => (ended = true));
      for (let round = 0; round < 200 && !ended; round++) {
        for (let i = 0; i < 1000; i++) client.send("40/site/other,");
        await pause(5);
      }
      await client.close();
      expect(ended, "the relay has ended it").to.equal(true);
    });
    expect(stall).to.be.below(LONGEST_STALL_MS);
    expect(grown).to.be.below(60 * MB);
  });

  it("is gone after 10 s where it says nothing, and answers nothing", async () => {
    const socket = connect(victim.port, "127.0.0.1");
    const begun = performance.now();
    socket.write(
      `GET ${PATH} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
    );
    socket.resume();
    socket.on("error", () => undefined);
    const { stall } = await victim.under(() => once(socket, "close"));
    // 40 s without a bound of our own: engine.io waits for the answer to its close frame.
    expect(performance.now() - begun).to.be.within(9000, 20_000);
    expect(stall).to.be.below(LONGEST_STALL_MS);
  });
});

describe("a name outside /site/", () => {
  const stage = Stage.forEachTest();

  it("is refused before anything is built for it, and the client is sent away", async () => {
    const relay = await stage.relay();
    await stage.connect(relay);
    const namespaces = namespacesOf(relay) as Map<string, object>;
    const built: string[] = [];
    const set = namespaces.set.bind(namespaces);
    namespaces.set = (name, namespace) => {
      built.push(name);
      return set(name, namespace);
    };
    const client = await Packets.open(relay.url);
    const closed = once(client.ws, "close");
    client.send("40/admin,", "40", "40/control,{}", "40/site/a b");
    for (const [name, code] of [
      ["/admin,", "not-found"],
      ["", "forbidden"],
      ["/control,", "forbidden"],
      ["/site/a b,", "not-found"],
    ]) {
      const answer = await client.find((packet) => packet.startsWith(`44${name}{`));
      expect(JSON.parse(answer.slice(2 + (name as string).length))).to.have.nested.property("data.code", code);
    }
    await closed;
    expect(built).to.deep.equal([]);
  });

  it("does not keep a client that asks for / first, as some libraries do, from its site", async () => {
    const relay = await stage.relay();
    const client = await Packets.open(relay.url);
    stage.closeLater(() => client.close());
    client.send("40", `40/site/5,${JSON.stringify({ v: 1, token: connectToken(relay.appKey) })}`);
    await client.find((packet) => packet.includes('"hello"'));
    await eventually(() => relay.relay.gateway?.connections.size === 1, "it is in");
  });

  it("may be followed by a few more CONNECTs and no further", async () => {
    const relay = await stage.relay();
    const client = await Packets.open(relay.url);
    const closed = once(client.ws, "close");
    for (let i = 0; i < 100; i++) client.send(`40/n${i},`);
    await closed;
    expect(client.received.length).to.be.below(20);
  });
});

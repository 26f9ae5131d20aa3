import { EventEmitter } from "node:events";
import { expect } from "chai";
import { toFrame } from "../../server/src/socket/frame.js";
import {
  corkWrites,
  dropHandshake,
  endQuietly,
  loseTransport,
  trimSocket,
  waitingPackets,
  writeDirectly,
} from "../../server/src/socket/engine-internals.js";
import { socketOf } from "../support/relay-sockets.js";
import { Stage } from "./stage.js";

/** An engine.io socket as `writeDirectly` finds it, with one thing different. */
function engineSocket(difference: (conn: ReturnType<typeof ready>["conn"]) => void = () => undefined): ReturnType<typeof ready> {
  const made = ready();
  difference(made.conn);
  return made;
}

function ready() {
  const written: Buffer[] = [];
  const net = { writable: true, writableLength: 7, write: (bytes: Buffer) => written.push(bytes) } as Record<string, unknown>;
  const socket = {
    readyState: 1,
    _socket: net as Record<string, unknown> | null,
    _sender: { _bufferedBytes: 0 } as Record<string, unknown> | undefined,
  };
  const transport = { name: "websocket", writable: true, perMessageDeflate: null as unknown, socket: socket as typeof socket | undefined };
  return {
    written,
    conn: { readyState: "open", upgrading: false, writeBuffer: [] as unknown[], transport: transport as typeof transport | undefined },
  };
}

describe("writing straight to a socket", () => {
  const frame = toFrame('2/site/5,["messages"]');

  it("writes one whole WebSocket frame and tells what waits", () => {
    const { conn, written } = engineSocket();
    expect(writeDirectly(conn as never, frame)).to.equal(7);
    expect(written).to.have.length(1);
    const text = '42/site/5,["messages"]';
    expect(written[0]).to.deep.equal(Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]));
  });

  it("leaves it to engine.io where anything waits before it, or anything it relies on is not there", () => {
    const differences: ((conn: ReturnType<typeof ready>["conn"]) => void)[] = [
      (conn) => void (conn.readyState = "closing"),
      (conn) => void (conn.upgrading = true),
      (conn) => void (conn.writeBuffer = [{}]),
      (conn) => void delete (conn as Record<string, unknown>).writeBuffer,
      (conn) => void (conn.transport = undefined),
      (conn) => void Object.assign(conn.transport as object, { name: "polling" }),
      (conn) => void Object.assign(conn.transport as object, { perMessageDeflate: {} }),
      (conn) => void Object.assign(conn.transport as object, { socket: undefined }),
      (conn) => void Object.assign(conn.transport?.socket as object, { readyState: 2 }),
      (conn) => void Object.assign(conn.transport?.socket as object, { _socket: null }),
      (conn) => void Object.assign(conn.transport?.socket as object, { _sender: undefined }),
      (conn) => void Object.assign(conn.transport?.socket?._sender as object, { _bufferedBytes: 1 }),
      (conn) => void Object.assign(conn.transport?.socket?._socket as object, { writable: false }),
    ];
    for (const difference of differences) {
      const { conn, written } = engineSocket(difference);
      expect(writeDirectly(conn as never, frame), difference.toString()).to.equal(-1);
      expect(written).to.have.length(0);
    }
    expect(writeDirectly(engineSocket().conn as never, { text: "x", options: { compress: false } })).to.equal(-1);
  });
});

describe("the quiet end of a transport", () => {
  it("waits for a frame that is still being compressed, and leaves the last one a head start", async () => {
    const said: string[] = [];
    let ended = (): void => undefined;
    const end = new Promise<void>((resolve) => (ended = resolve));
    const transport = Object.assign(new EventEmitter(), {
      name: "websocket",
      writable: false,
      doClose: (): unknown => said.push("close frame"),
      socket: { _socket: { end: (): unknown => said.push("end") && ended() } },
    });
    endQuietly(Object.assign(new EventEmitter(), { transport }) as never);
    (transport.doClose as (done: () => void) => void)(() => said.push("closed"));
    expect(said).to.deep.equal(["closed"]);
    transport.emit("ready");
    expect(said).to.deep.equal(["closed"]);
    await end;
    expect(said).to.deep.equal(["closed", "end"]);
  });

  it("is engine.io's own where that looks otherwise", () => {
    for (const transport of [
      undefined,
      {},
      { name: "websocket" },
      { name: "websocket", socket: { _socket: null }, doClose: () => undefined },
    ]) {
      const before = { ...transport };
      let closed = 0;
      const conn = Object.assign(new EventEmitter(), { readyState: "open", transport, close: () => closed++ });
      loseTransport(conn as never, 0);
      expect(closed).to.equal(1);
      expect({ ...transport }).to.deep.equal(before);
    }
  });
});

describe("what a socket no longer needs", () => {
  const stage = Stage.forEachTest();

  it("is let go, and nothing of the application's", async () => {
    const relay = await stage.relay();
    const client = await stage.connect(relay);
    const [connection] = relay.relay.gateway?.connections ?? [];
    const conn = socketOf(connection).conn as unknown as {
      request: unknown;
      transport: EventEmitter & { socket: EventEmitter & { _socket: EventEmitter } };
    };
    expect(conn.request).to.equal(undefined);
    expect(conn.transport.listenerCount("headers")).to.equal(0);
    const { socket } = conn.transport;
    expect(socket.listeners("error").map(({ name }) => name)).to.deep.equal(["bound onError"]);
    expect(socket._socket.listeners("close").map(({ name }) => name)).to.deep.equal(["socketOnClose"]);
    const own = (): void => undefined;
    const anonymous = [(): void => own()];
    socket._socket.on("close", anonymous[0] as () => void);
    dropHandshake(conn as never);
    expect(socket._socket.listeners("close")).to.include(anonymous[0]);
    expect(client.socket.connected).to.equal(true);
  });

  it("is left where engine.io and socket.io look otherwise", () => {
    for (const conn of [
      {},
      { transport: {} },
      { transport: { name: "websocket", socket: {} } },
      { transport: { socket: { _socket: null } } },
    ]) {
      dropHandshake(conn as never);
      corkWrites(conn as never);
      trimSocket({ conn } as never);
      expect(waitingPackets(conn as never)).to.deep.equal({ packets: 0, newest: 0 });
    }
    // A listener alone stays: an error that nobody listens for would be thrown.
    const socket = new EventEmitter().on("error", function onUpgradeError() {});
    dropHandshake({ transport: { socket } } as never);
    expect(socket.listenerCount("error")).to.equal(1);
  });
});

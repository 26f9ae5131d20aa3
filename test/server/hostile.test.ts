import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { WebSocket } from "ws";
import { RawClient } from "../support/socket.js";
import { Chance, HostileFrames } from "./hostile-frames.js";
import type { Address, Health } from "./hostile-relay.js";
import { request } from "./stage.js";

const FRAMES = 100_000;
const LANES = 24;
const HEAP_BYTES = 5 * 1_048_576;

describe("a relay under hostile clients", function () {
  this.timeout(120_000);
  let child: ChildProcess | undefined;
  let address: Address;
  const clients: RawClient[] = [];

  beforeEach(async () => {
    child = fork(fileURLToPath(new URL("hostile-relay.ts", import.meta.url)), {
      execArgv: ["--expose-gc", "--import=tsx", "--conditions=source"],
      env: { PATH: process.env.PATH },
    });
    [address] = (await once(child, "message")) as [Address];
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  });

  async function health(expected: number): Promise<Health> {
    child?.send(expected);
    const ended = once(child as ChildProcess, "exit").then(([code, signal]) => {
      throw new Error(`The relay ended: ${code ?? signal}`);
    });
    return Promise.race([once(child as ChildProcess, "message").then(([answer]) => answer as Health), ended]);
  }

  /** A client that means well. */
  async function goodClient(): Promise<RawClient> {
    const client = new RawClient({ url: address.url, appKey: address.appKey });
    clients.push(client);
    await client.hello;
    await client.subscribe({ id: "1", topic: "news", replay: false });
    return client;
  }

  async function publish(data: object): Promise<void> {
    const headers = { authorization: `Bearer ${address.apiKey}`, "content-type": "application/json" };
    const body = JSON.stringify({ topic: "news", data });
    const { status } = await request(`${address.httpUrl}/v1/sites/5/publish`, { method: "POST", headers, body });
    expect(status).to.equal(200);
  }

  /** What a relay holds once it has served anybody at all (compiled code, mostly) is none of the hostile clients' doing. */
  async function warmUp(): Promise<void> {
    for (let round = 0; round < 5; round++) {
      const guests = await Promise.all(Array.from({ length: 40 }, () => goodClient()));
      await Promise.all(guests.map((guest) => guest.emit("unsubscribe", ["1"])));
      for (const guest of guests) guest.close();
    }
  }

  /** One hostile connection; resolves with the number of frames sent when it is closed. */
  async function attack(chance: Chance, frames: HostileFrames): Promise<number> {
    const ws = new WebSocket(`${address.url}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate: false });
    ws.on("error", () => undefined);
    const closed = once(ws, "close");
    let asked = 0;
    let admitted = false;
    let onAnswer = (): void => undefined;
    ws.on("message", (data) => {
      const packet = String(data);
      if (packet === "2" && ws.readyState === WebSocket.OPEN) ws.send("3");
      admitted ||= packet.startsWith("42");
      if (/^4[24]/.test(packet) && --asked === 0) onAnswer();
    });
    await Promise.race([once(ws, "open"), closed]);
    let sent = 0;
    const send = (frame: string | Buffer): void => {
      ws.send(frame);
      sent++;
    };
    const way = chance.next();
    if (way < 0.05) {
      // Never gets in: goes at once, or says something wrong first.
      if (way < 0.03) send(way < 0.015 ? frames.connect(false) : frames.fatal());
    } else {
      const connects = [...(chance.next() < 0.2 ? [frames.connect(false)] : []), frames.connect(true)];
      asked = connects.length;
      const answered = new Promise<void>((resolve) => (onAnswer = resolve));
      connects.forEach(send);
      // Sometimes on the heels of the CONNECT, whose token is still being checked then: the relay ends that.
      if (chance.next() > 0.05) await Promise.race([answered, closed]);
      for (let left = admitted ? 10 + chance.below(100) : 2; left > 0 && ws.readyState === WebSocket.OPEN; left--)
        frames.survivable().forEach(send);
      if (chance.next() < 0.5) send(frames.fatal());
    }
    if (chance.next() < 0.03) ws.terminate();
    else ws.close();
    const late = setTimeout(() => ws.terminate(), 10_000);
    await closed;
    clearTimeout(late);
    return sent;
  }

  /** A request by hand: of any method and path, with any headers and body. Its answer does not matter, if there is one. */
  function ask(method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<string> {
    return new Promise((resolve) => {
      const sent = httpRequest(`${address.httpUrl}${path}`, { method, headers, agent: false }, (response) => {
        let text = "";
        response.on("data", (data: Buffer) => (text += data.toString()));
        response.on("close", () => resolve(text));
      });
      sent.on("error", () => resolve(""));
      sent.end(body);
    });
  }

  async function attackByPolling(chance: Chance, frames: HostileFrames): Promise<void> {
    const path = "/socket.io/?EIO=4&transport=polling";
    const method = chance.of(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"]);
    const query = chance.of([
      "",
      "?",
      "?EIO=9",
      "?EIO=4",
      "?EIO=4&transport=__proto__",
      "?EIO=4&transport=constructor",
      "?EIO=3&transport=polling&b64=1",
    ]);
    const sid = chance.of(["x", "__proto__", "", "%00", "x".repeat(3000)]);
    await ask(method, `/socket.io/${query}`, method === "POST" ? "40" : undefined);
    await ask(chance.of(["GET", "POST"]), `${path}&sid=${sid}`, undefined, { origin: chance.of(["null", "http://evil.example", "x"]) });
    const opened = await ask("GET", path);
    const session = /"sid":"([^"]+)"/.exec(opened)?.[1];
    if (session === undefined) return;
    const packets = [
      frames.connect(true),
      ...Array.from({ length: 5 }, () => frames.survivable()[0]).filter((each) => typeof each === "string"),
    ];
    const body = chance.of([packets.join("\u001e"), "", "\u001e\u001e", "x", String(frames.fatal()), "b%%%", packets[0] as string]);
    const type = chance.of(["text/plain;charset=UTF-8", "application/octet-stream", "application/json"]);
    const polls = [ask("POST", `${path}&sid=${session}`, body, { "content-type": type }), ask("GET", `${path}&sid=${session}`)];
    if (chance.next() < 0.3) polls.push(ask("GET", `${path}&sid=${session}`)); // overlapping polls end a session
    await polls[0];
    await ask("POST", `${path}&sid=${session}`, "1");
    await Promise.all(polls);
  }

  /** Upgrades and requests that are none. */
  async function attackByBytes(chance: Chance): Promise<void> {
    const path = chance.of([
      "/socket.io/?EIO=4&transport=websocket",
      "/socket.io/",
      "/other",
      "/socket.io/?EIO=4&transport=websocket&sid=x",
    ]);
    const upgrade = `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n`;
    const socket = connect(Number(new URL(address.httpUrl).port), "127.0.0.1");
    socket.on("error", () => undefined);
    const closed = once(socket, "close");
    await Promise.race([once(socket, "connect"), closed]);
    socket.resume();
    socket.end(
      chance.of([
        `${upgrade}\r\n`,
        `${upgrade}sec-websocket-version: 8\r\nsec-websocket-key: x\r\n\r\n`,
        `${upgrade}sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n\xff\xff\xff\xff`,
        "POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\nx",
        "\u0000\u0001\u0002",
        `GET /${"x".repeat(20_000)} HTTP/1.1\r\n\r\n`,
      ]),
    );
    const late = setTimeout(() => socket.destroy(), 200);
    await closed;
    clearTimeout(late);
  }

  it(`serves the next good client after ${FRAMES} hostile frames, and its memory is as before`, async () => {
    const seed = Number(process.env.BELLWIRE_SEED ?? Date.now() % 2 ** 31);
    console.log(`      seed ${seed} (to see it again: BELLWIRE_SEED=${seed})`);
    const witness = await goodClient();
    await publish({ n: 0 });
    await witness.until(() => witness.messages("news").length === 1);
    await warmUp();
    const before = await health(1);
    let sent = 0;
    let published = 0;
    const lane = async (number: number): Promise<void> => {
      const chance = new Chance(seed + number * 7919);
      const frames = new HostileFrames(chance, address.appKey);
      while (sent < FRAMES * 1.02) {
        const count = await attack(chance, frames);
        sent += count;
        if (chance.next() < 0.15) await attackByPolling(chance, frames);
        if (chance.next() < 0.1) await attackByBytes(chance);
        if (number === 0) await publish({ n: ++published });
      }
    };
    await Promise.all(Array.from({ length: LANES }, (_, i) => lane(i)));
    const after = await health(1);
    const grown = after.heapUsed - before.heapUsed;
    console.log(`      ${after.packets} packets, heap ${(before.heapUsed / 1e6).toFixed(1)} MB, grown by ${(grown / 1e6).toFixed(2)} MB`);

    expect(after.packets - before.packets, "packets that reached the relay").to.be.at.least(FRAMES);
    // The feeds of its topic, of its user and of its session.
    expect(after).to.deep.include({ connections: 1, subscriptions: 1, feeds: 3, internal: 0, failures: [], polluted: false });
    expect(after.namespaces).to.have.members(["/", "/control", "/site/5"]);
    expect(grown).to.be.below(HEAP_BYTES);

    const next = await goodClient();
    await publish({ n: ++published });
    await next.until(() => next.messages("news").length === 1);
    await witness.until(() => witness.messages("news").length === published + 1);
    expect(witness.messages("news").map(([, , data]) => data.n)).to.deep.equal(Array.from({ length: published + 1 }, (_, n) => n));
  });
});

import { once } from "node:events";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import type { TestRelay } from "@bellwire/server/testing";
import { eventually, Stage } from "./stage.js";

interface Answer {
  readonly status: number;
  readonly connection: string | undefined;
  readonly reused: boolean;
}

/** Posts over connections that are kept alive, as backends' HTTP clients do. Rejects where no answer comes. */
class Publisher {
  readonly #agent = new Agent({ keepAlive: true });

  post(relay: { readonly port: number; readonly apiKey: string }, id: number): Promise<Answer> {
    const body = JSON.stringify({ topic: "T", data: { id } });
    const headers = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      authorization: `Bearer ${relay.apiKey}`,
    };
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        { host: "127.0.0.1", port: relay.port, method: "POST", path: "/v1/sites/5/publish", agent: this.#agent, headers },
        (response: IncomingMessage) => {
          response.resume();
          response.once("end", () =>
            resolve({ status: response.statusCode as number, connection: response.headers.connection, reused: request.reusedSocket }),
          );
          response.once("error", reject);
        },
      );
      request.once("error", reject);
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** The ids of all messages that a relay appends from now on. */
function appendedBy({ relay }: TestRelay): Set<number> {
  const ids = new Set<number>();
  const append = relay.log.append.bind(relay.log);
  relay.log.append = async (publication, timeout) => {
    const position = await append(publication, timeout);
    ids.add((JSON.parse(publication.data) as { id: number }).id);
    return position;
  };
  return ids;
}

describe("a relay that drains, to those who ask over HTTP", function () {
  this.timeout(30_000);
  const stage = Stage.forEachTest();

  function publisher(): Publisher {
    const made = new Publisher();
    stage.closeLater(() => made.close());
    return made;
  }

  it("closes each connection with its next answer, from the first moment, on the internal port too", async () => {
    const relay = await stage.relay({ env: { REALTIME_INTERNAL_PORT: "0" } });
    const { apiKey, port } = relay;
    const internal = { apiKey, port: relay.relay.internalPort as number };
    const backend = publisher();
    expect(await backend.post(internal, 1)).to.include({ status: 200, connection: "keep-alive" });
    expect(await backend.post(internal, 2)).to.include({ status: 200, connection: "keep-alive", reused: true });
    const drained = relay.relay.drain({ accept: 300, spread: 0, rate: 1 });
    expect(await backend.post(internal, 3)).to.include({ status: 200, connection: "close", reused: true });
    expect(await backend.post(internal, 4), "whoever comes anew too").to.include({ status: 200, connection: "close", reused: false });
    for (const path of ["/healthz", "/client.js", "/nothing", "/socket.io/?EIO=4&transport=polling"]) {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`);
      await answer.arrayBuffer();
      expect(answer.headers.get("connection"), path).to.equal("close");
    }
    await drained;
  });

  it("closes connections that lie idle, and no other", async () => {
    const relay = await stage.relay();
    const open = async (sent: string): Promise<Socket> => {
      const socket = connect(relay.port, "127.0.0.1");
      stage.closeLater(() => socket.destroy());
      await once(socket, "connect");
      socket.write(sent);
      return socket;
    };
    const get = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    const idle = await open(get);
    const half = await open(get);
    for (const socket of [idle, half]) await once(socket, "data");
    half.write(get.slice(0, 20));
    const client = await stage.connect(relay);
    const drained = relay.relay.drain({ accept: 1500, spread: 0, rate: 1 });
    await once(idle.resume(), "close");
    expect(half.destroyed, "the rest of its request is on its way").to.equal(false);
    half.write(get.slice(20));
    const [answer] = (await once(half, "data")) as [Buffer];
    expect(String(answer))
      .to.match(/^HTTP\/1\.1 200/)
      .and.to.match(/^connection: close\r$/im);
    expect(client.socket.connected).to.equal(true);
    client.close();
    await drained;
  });

  it("answers a publish that is under way when it ends", async () => {
    const relay = await stage.relay();
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const append = relay.relay.log.append.bind(relay.relay.log);
    let begun = false;
    relay.relay.log.append = async (publication, timeout) => {
      begun = true;
      await released;
      return append(publication, timeout);
    };
    const answered = publisher().post(relay, 1);
    await eventually(() => begun, "the publish has come in");
    await relay.relay.drain({ accept: 0, spread: 0, rate: 1 });
    const closed = relay.close();
    await pause(600); // longer than what sockets are given
    release();
    expect(await answered).to.include({ status: 200, connection: "close" });
    await closed;
  });

  it("loses no answer of those who publish all the time: 20 drains", async () => {
    const backend = publisher();
    const relays = [await stage.relay()];
    const appended = [appendedBy(relays[0] as TestRelay)];
    const answered = new Set<number>();
    const lost: string[] = [];
    const [resets, reused] = [new Set<number>(), { count: 0 }];
    let [id, done] = [0, false];
    // Goes to another relay as soon as an answer says that this one leaves, as a balancer does.
    const faithful = async (wait: number): Promise<void> => {
      for (let at = 0; !done;) {
        const mine = ++id;
        try {
          const answer = await backend.post(relays[at] as TestRelay, mine);
          if (answer.status === 200) answered.add(mine);
          if (answer.reused) reused.count++;
          if (answer.connection === "close") at++;
        } catch (error) {
          lost.push(`${mine} at ${at}: ${String(error)}`);
          at = relays.length - 1;
        }
        if (wait > 0) await pause(wait);
      }
    };
    // Stays to the end, with a new connection for each message by then, until nobody listens any more.
    const stubborn = async (relay: TestRelay): Promise<void> => {
      for (;;) {
        const mine = ++id;
        try {
          if ((await backend.post(relay, mine)).status === 200) answered.add(mine);
        } catch (error) {
          resets.add(mine);
          if ((error as NodeJS.ErrnoException).code === "ECONNREFUSED") return;
        }
      }
    };
    const all = [faithful(0), faithful(0), faithful(3), faithful(20)];
    for (let drain = 0; drain < 20; drain++) {
      const leaving = relays[drain] as TestRelay;
      const next = await stage.relay();
      appended.push(appendedBy(next));
      relays.push(next);
      const last = stubborn(leaving);
      await pause(30);
      // Long enough for everybody to have an answer meanwhile, however busy the machine is.
      await leaving.relay.drain({ accept: 400, spread: 0, rate: 1 });
      await leaving.close();
      await last;
    }
    done = true;
    await Promise.all(all);
    expect(lost, "of those who go when they are told to").to.deep.equal([]);
    const into = new Set(appended.flatMap((ids) => [...ids]));
    expect(
      [...into].filter((each) => !answered.has(each)),
      "went in, and nobody was told",
    ).to.deep.equal([]);
    expect([...answered].filter((each) => !into.has(each))).to.deep.equal([]);
    expect(reused.count).to.be.above(100);
  });
});

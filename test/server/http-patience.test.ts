import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect } from "chai";
import { Victim, LONGEST_STALL_MS } from "../support/victim.js";
import { Poller } from "./poller.js";
import { Stage } from "./stage.js";

interface Talk {
  /** What came back. */
  readonly heard: () => string;
  /** Milliseconds from the first byte to the end of the connection. */
  readonly ended: Promise<number>;
  readonly socket: Socket;
}

function talk(port: number, first: string, drip?: string): Talk {
  const socket = connect(port, "127.0.0.1");
  const begun = performance.now();
  let text = "";
  socket.on("data", (data) => (text += data.toString()));
  socket.on("error", () => undefined);
  socket.write(first);
  const dripping = drip === undefined ? undefined : setInterval(() => socket.writable && socket.write(drip), 300);
  const ended = once(socket, "close").then(() => {
    clearInterval(dripping);
    return performance.now() - begun;
  });
  return { heard: () => text, ended, socket };
}

/** The error in an answer's body. */
function errorIn(text: string): { code: string; retry: string } | undefined {
  const json = /\{"error":.*\}/.exec(text)?.[0];
  return json === undefined ? undefined : (JSON.parse(json) as { error: { code: string; retry: string } }).error;
}

describe("a request that takes its time", function () {
  this.timeout(60_000);
  let victim: Victim;
  before(async () => (victim = await Victim.start()));
  after(() => victim.close());

  it("is ended: headers after 10 s, a body after 20 s, and what is left of one soon after its answer", async () => {
    const { port, address } = victim;
    const { sid } = await Poller.open(address.httpUrl);
    const post = (path: string, more = ""): string =>
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n${more}\r\n{`;
    const authorization = `authorization: Bearer ${address.apiKey}\r\n`;
    const headers = talk(port, "GET /healthz HTTP/1.1\r\nhost: x\r\n", "x: y\r\n");
    const body = talk(port, post("/v1/sites/5/publish", authorization), " ");
    const polling = talk(port, post(`/socket.io/?EIO=4&transport=polling&sid=${sid}`), " ");
    const refused = talk(port, post("/v1/sites/5/publish"), " ");
    const silent = talk(port, "");
    const all = [headers, body, polling, refused];
    const { stall } = await victim.under(() => Promise.all(all.map(({ ended }) => ended)));
    silent.socket.destroy();
    expect(await refused.ended).to.be.below(10_000);
    expect(refused.heard()).to.contain("401");
    expect(errorIn(refused.heard())).to.deep.include({ code: "token-missing" });
    expect(await headers.ended).to.be.within(9000, 18_000);
    expect(await body.ended).to.be.within(18_000, 35_000);
    for (const each of [headers, body]) {
      expect(each.heard()).to.contain("408");
      expect(errorIn(each.heard())).to.deep.include({ code: "timeout", retry: "later" });
    }
    expect(stall).to.be.below(LONGEST_STALL_MS);
  });
});

describe("a request that Node answers itself, or no request at all", () => {
  const stage = Stage.forEachTest();

  it("is answered in the shape of every other error", async () => {
    const relay = await stage.relay();
    const wrong = {
      "no host": ["GET /healthz HTTP/1.1\r\n\r\n", 400, "bad-request"],
      expectations: ["POST /v1/sites/5/publish HTTP/1.1\r\nhost: x\r\nexpect: a miracle\r\n\r\n", 417, "bad-request"],
      "large headers": [`GET /healthz HTTP/1.1\r\nhost: x\r\n${`x: ${"y".repeat(1000)}\r\n`.repeat(20)}\r\n`, 431, "too-large"],
      "many headers": [`GET /healthz HTTP/1.1\r\nhost: x\r\n${"x: y\r\n".repeat(3000)}\r\n`, 431, "too-large"],
      "a long URL": [`GET /${"x".repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, 431, "too-large"],
      "no such method": ["GRAB / HTTP/1.1\r\nhost: x\r\n\r\n", 400, "bad-request"],
      garbage: ["\u0000\u0001\r\n\r\n", 400, "bad-request"],
    } as const;
    for (const [what, [text, status, code]] of Object.entries(wrong)) {
      const { heard, ended, socket } = talk(relay.port, text);
      socket.once("data", () => socket.end());
      await ended;
      expect(heard(), what).to.contain(`HTTP/1.1 ${status} `);
      expect(errorIn(heard())?.code, what).to.equal(code);
    }
  });
});

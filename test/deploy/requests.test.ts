import { once } from "node:events";
import { request } from "node:http";
import { expect } from "chai";
import { WebSocket } from "ws";
import { requires } from "../house/requires.js";
import { Balancer } from "./balancers.js";
import { eventually, statusOf } from "./relays.js";
import { StandIn } from "./stand-in.js";

const HANDSHAKE = "/socket.io/?EIO=4&transport=polling";
const SOCKET = "/socket.io/?EIO=4&transport=websocket";

describe("what a balancer makes of requests", function () {
  this.timeout(20_000);
  let relays: StandIn[];
  let balancer: Balancer | undefined;

  beforeEach(async () => {
    relays = await Promise.all([StandIn.start(), StandIn.start(), StandIn.start()]);
  });

  afterEach(async () => {
    await balancer?.stop();
    balancer = undefined;
    await Promise.all(relays.map((relay) => relay.stop()));
  });

  async function start(kind: "nginx" | "haproxy", program: string): Promise<Balancer> {
    balancer = await Balancer.start(kind, program, { relays: relays.map((relay) => relay.port) });
    return balancer;
  }

  const requests = () => relays.flatMap((relay) => relay.requests);

  for (const kind of ["nginx", "haproxy"] as const) {
    describe(kind, () => {
      let program: string;

      before(function () {
        program = requires(kind, this);
      });

      it("tells relays the client's address, and not what the client says of it", async () => {
        const { url, port } = await start(kind, program);
        await fetch(url + HANDSHAKE, {
          headers: { "x-forwarded-for": "192.0.2.1", "x-real-ip": "192.0.2.2", "x-forwarded-proto": "https" },
        });
        expect(requests()).to.have.length(1);
        const { headers } = requests()[0] as (typeof relays)[0]["requests"][0];
        expect(headers).to.include({
          host: `127.0.0.1:${port}`,
          "x-forwarded-for": "127.0.0.1",
          "x-real-ip": "127.0.0.1",
          "x-forwarded-proto": "http",
        });
      });

      it("passes upgrades to WebSocket on, and no others", async () => {
        const { url, port } = await start(kind, program);
        const socket = new WebSocket(url.replace("http", "ws") + SOCKET);
        await once(socket, "open");
        socket.close();
        const other = request({ port, host: "127.0.0.1", path: HANDSHAKE, headers: { connection: "upgrade", upgrade: "other" } }).end();
        const [response] = (await once(other, "response")) as [{ statusCode: number; resume(): void }];
        response.resume();
        expect(response.statusCode).to.equal(200);
        expect(requests().map(({ headers }) => headers.upgrade)).to.deep.equal(["websocket", undefined]);
      });

      it("asks another relay where one says that it is stopping", async () => {
        const { url } = await start(kind, program);
        const [stopping] = relays as [StandIn, StandIn, StandIn];
        stopping.status = 503;
        // All browsers that could be meant for the one that stops, and the others.
        for (let i = 0; i < 30; i++) expect(await statusOf(`${url}${HANDSHAKE}&client=${i}`), String(i)).to.equal(200);
        expect(stopping.requests).to.have.length.above(0);
      });

      it("repeats no POST that a relay has seen", async () => {
        const { url } = await start(kind, program);
        for (const relay of relays) relay.status = 0;
        const response = await fetch(`${url}${HANDSHAKE}&sid=1`, { method: "POST", body: "40" });
        expect(response.status).to.equal(502);
        expect(requests()).to.have.length(1);
      });
    });
  }

  describe("haproxy", () => {
    let program: string;

    before(function () {
      program = requires("haproxy", this);
    });

    it("keeps a browser at its relay by a cookie, where the browser sends it, whatever its address", async () => {
      const { url } = await start("haproxy", program);
      const first = await fetch(`${url}${HANDSHAKE}&client=1`);
      const relay = await first.text();
      const cookie = first.headers.get("set-cookie") ?? "";
      expect(cookie).to.match(/^bellwire=relay[123]; path=\/; HttpOnly; SameSite=Lax$/i);
      for (let i = 0; i < 10; i++) {
        const next = await fetch(`${url}${HANDSHAKE}&sid=x&client=another-${i}`, {
          headers: { cookie: cookie.split(";", 1)[0] as string },
        });
        expect(await next.text()).to.equal(relay);
      }
      // It is between the browser and HAProxy: relays never see it.
      for (const { headers } of requests()) expect(headers.cookie).to.equal(undefined);
    });

    it("gives a relay that is not ready nobody new, and leaves those whom it has", async () => {
      const { url } = await start("haproxy", program);
      const sockets: WebSocket[] = [];
      for (let i = 0; i < relays.length; i++) {
        const socket = new WebSocket(url.replace("http", "ws") + SOCKET);
        sockets.push(socket);
        await once(socket, "open");
      }
      const draining = relays[0] as StandIn;
      expect(draining.requests, "least connections: one each").to.have.length(1);
      draining.ready = false;
      await eventually("it gets nobody new", async () => {
        const before = draining.requests.length;
        for (let i = 0; i < 12; i++) await fetch(`${url}${HANDSHAKE}&client=${i}`);
        return draining.requests.length === before;
      });
      for (const socket of sockets) {
        socket.send("still there?");
        await once(socket, "message");
        socket.terminate();
      }
    });
  });
});

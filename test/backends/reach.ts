import type { IncomingMessage, ServerResponse } from "node:http";
import { expect } from "chai";
import { stablePort } from "../support/stable-port.js";
import { StandIn } from "./stand-in.js";
import type { World } from "./world.js";

const OK = JSON.stringify({ results: [{ topic: "Contact_Updated_Topic", epoch: "1", offset: 1 }] });

/** A backend of the examples whose relay is slow, strange or gone. */
export function reachOfRelays(here: World): void {
  const standIns: StandIn[] = [];
  afterEach(() => {
    for (const standIn of standIns.splice(0)) standIn.close();
  });

  async function standIn(answer: Parameters<typeof StandIn.start>[0]): Promise<StandIn> {
    const one = await StandIn.start(answer);
    standIns.push(one);
    return one;
  }

  describe("a relay", () => {
    it("may be out of reach, refuse, or be switched off: the application's work is done all the same", async () => {
      const gone = await here.start({ REALTIME_URL: `http://127.0.0.1:${await stablePort()}` });
      const wrong = await here.start({ REALTIME_API_KEY: "not the key" });
      const off = await here.start({ REALTIME_ENABLED: "false" });
      for (const backend of [gone, wrong, off]) {
        const cookie = await backend.signIn("ann");
        const { status, body } = await backend.post("/contacts/5", {}, cookie);
        expect([status, body]).to.deep.equal([200, { success: true, told: false }]);
        expect((await backend.post("/contacts/5/follow", {}, cookie)).body).to.deep.equal({ success: false });
      }
      for (const backend of [gone, wrong]) await backend.printed(/realtime: publish/);
      expect(off.output).not.to.match(/realtime: publish/);
      expect((await off.post("/realtime", {}, await off.signIn("ann"))).body).to.deep.equal({ enabled: false });
    });

    it("is asked once more with the same key, when the first answer is lost or says later", async () => {
      const losses: Record<string, (response: ServerResponse, request: IncomingMessage) => void> = {
        lost: (_response, { socket }) => socket.destroy(),
        broken: (response, { socket }) => {
          response.writeHead(200, { "content-type": "application/json", "content-length": 500 });
          response.write('{"results":', () => socket.destroy());
        },
        later: (response) => {
          const error = { code: "draining", message: "Going", retry: "later" };
          response.writeHead(503, { "content-type": "application/json" }).end(JSON.stringify({ error }));
        },
        "of a proxy": (response) => response.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad gateway</h1>"),
      };
      for (const [name, lose] of Object.entries(losses)) {
        const flaky = await standIn((response, request, attempt) => (attempt === 1 ? lose(response, request) : response.end(OK)));
        const backend = await here.start({ REALTIME_URL: flaky.url });
        const { body } = await backend.post("/contacts/5", {}, await backend.signIn("ann"));
        expect(body, name).to.deep.equal({ success: true, told: true });
        expect(flaky.keys, name).to.have.length(2);
        expect(flaky.keys[0]).to.be.a("string").and.equal(flaky.keys[1]);
      }
    });

    it("is not asked again where that can't help", async () => {
      const error = { code: "too-large", message: "Too many bytes", retry: "never" };
      const stern = await standIn((response) =>
        response
          .setHeader("content-type", "application/json")
          .end(JSON.stringify({ results: [{ topic: "Contact_Updated_Topic", error }] })),
      );
      const backend = await here.start({ REALTIME_URL: stern.url });
      const { body } = await backend.post("/contacts/5", {}, await backend.signIn("ann"));
      expect(body).to.deep.equal({ success: true, told: false });
      await backend.printed(/realtime: publish: .*Too many bytes/);
      expect(stern.keys).to.have.length(1);
    });

    const silences: Record<string, (response: ServerResponse) => void> = {
      "says nothing": () => undefined,
      "never ends its answer": (response) => {
        response.writeHead(200, { "content-type": "application/json" });
        const timer = setInterval(() => response.write(" "), 50);
        response.once("close", () => clearInterval(timer));
      },
    };
    for (const [name, silence] of Object.entries(silences)) {
      it(`that ${name} keeps no request waiting for longer than 2 s in all`, async () => {
        const hanging = await standIn(silence);
        const backend = await here.start({ REALTIME_URL: hanging.url });
        const { status, body } = await backend.post("/contacts/5", {}, await backend.signIn("ann"));
        expect([status, body]).to.deep.equal([200, { success: true, told: false }]);
        await backend.printed(/realtime: publish: .*did not answer within 2 s/);
        // The time is up: no second attempt makes it double.
        expect(hanging.keys).to.have.length(1);
      });
    }

    it("that is something else is told from one by what it answers", async () => {
      const pages = await standIn((response) => response.writeHead(200, { "content-type": "text/html" }).end("<h1>Welcome</h1>"));
      const backend = await here.start({ REALTIME_URL: pages.url });
      const { body } = await backend.post("/contacts/5", {}, await backend.signIn("ann"));
      expect(body).to.deep.equal({ success: true, told: false });
      await backend.printed(/realtime: publish: .*no JSON but text\/html with the status 200: is REALTIME_URL a relay's address\?/);
      expect(pages.keys).to.have.length(1);
    });

    it("has an address that begins with http, or the backend says so and does nothing", async () => {
      // PHP begins with the first request.
      const said = await here.start({ REALTIME_URL: "ws://127.0.0.1:6200" }).then(
        async (backend) => {
          expect(await backend.post("/realtime", {})).to.have.property("status", 500);
          return backend.output;
        },
        (error: Error) => error.message,
      );
      expect(said).to.match(/REALTIME_URL is .*http:\/\/127\.0\.0\.1:6200.*ws:\/\/127\.0\.0\.1:6200/);
    });
  });

  describe("a page's request", () => {
    it("is JSON, or is told what to send", async () => {
      const { backend } = here;
      const cookie = await backend.signIn("ann");
      const kinds = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp"];
      for (const path of ["/realtime", "/contacts/5", "/sign-in"]) {
        for (const kind of kinds) {
          const { status, body } = await backend.post(path, {}, cookie, { "content-type": kind });
          expect(status, `${path} ${kind}`).to.equal(400);
          expect(body.error).to.deep.include({ code: "bad-request", retry: "never" });
          expect((body.error as { message: string }).message)
            .to.include("content-type: application/json")
            .and.include(kind);
        }
      }
      const { status } = await backend.post("/realtime", {}, cookie, { "content-type": "Application/JSON; charset=utf-8" });
      expect(status).to.equal(200);
    });
  });
}

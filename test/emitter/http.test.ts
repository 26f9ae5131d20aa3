import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { createEmitter, type Emitter } from "@bellwire/emitter";
import { batchSize } from "../../emitter/src/http/encode.js";
import { refusal } from "./scripted-transport.js";

interface Sent {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly messages: { topic: string; data: object; idempotencyKey: string; except?: object }[];
}

/** A stand-in for a relay's HTTP API: keeps what it is sent, and answers by `answer`. */
class StandIn {
  readonly sent: Sent[] = [];
  answer: (sent: Sent, res: ServerResponse) => void = ok;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((req, res) => void this.#serve(req, res));
  }

  static async start(): Promise<StandIn> {
    const relay = new StandIn();
    relay.#server.listen(0, "127.0.0.1");
    await once(relay.#server, "listening");
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const { messages } = JSON.parse(Buffer.concat(chunks).toString()) as Pick<Sent, "messages">;
    const sent = { path: req.url ?? "", authorization: req.headers.authorization, messages };
    this.sent.push(sent);
    this.answer(sent, res);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

function json(res: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  res.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

function ok({ messages }: Sent, res: ServerResponse): void {
  json(res, 200, { results: messages.map(({ topic }, i) => ({ topic, epoch: "e", offset: i + 1 })) });
}

describe("publishing over HTTP", () => {
  let relay: StandIn;
  let emitter: Emitter;
  beforeEach(async () => {
    relay = await StandIn.start();
    emitter = createEmitter({ url: `${relay.url}/ws/`, apiKey: "secret", timeout: 400 });
  });
  afterEach(async () => {
    await emitter.close();
    await relay.stop();
  });

  it("sends one turn's publishes to a site together, in order", async () => {
    await using patient = createEmitter({ url: `${relay.url}/ws/`, apiKey: "secret" });
    const site = patient.site("5");
    const positions = await Promise.all([
      site.publish("a", { id: 1 }),
      site.publish("b", {}, { except: { client: "c" } }),
      site.publish(["c", "d"]),
    ]);
    expect(positions[0]).to.deep.equal({ epoch: "e", offset: 1 });
    expect(positions[2]?.[1]).to.deep.equal({ topic: "d", epoch: "e", offset: 4 });
    expect(relay.sent).to.have.length(1);
    const [{ path, authorization, messages }] = relay.sent as [Sent];
    expect([path, authorization]).to.deep.equal(["/ws/v1/sites/5/publish", "Bearer secret"]);
    expect(messages.map(({ topic }) => topic)).to.deep.equal(["a", "b", "c", "d"]);
    expect(messages[0]).to.deep.include({ data: { id: 1 } });
    expect(messages[1]).to.deep.include({ except: { client: "c" } });
    expect(messages[0]).to.have.all.keys("topic", "data", "idempotencyKey");
  });

  it("keeps sites apart, and batches within 100", async () => {
    await Promise.all([emitter.site("6").publish("a"), ...Array.from({ length: 250 }, (_, i) => emitter.site("5").publish("a", { i }))]);
    const sizes = (site: string): number[] =>
      relay.sent.filter(({ path }) => path.includes(`/${site}/`)).map(({ messages }) => messages.length);
    expect(sizes("6")).to.deep.equal([1]);
    expect(sizes("5")).to.deep.equal([100, 100, 50]);
    expect(
      relay.sent.flatMap(({ path, messages }) => (path.includes("/5/") ? messages.map(({ data }) => (data as { i: number }).i) : [])),
    ).to.deep.equal(Array.from({ length: 250 }, (_, i) => i));
  });

  it("batches by length too", () => {
    expect(batchSize([])).to.equal(0);
    expect(batchSize([1_000_000, 1])).to.equal(1);
    expect(batchSize([200_000, 60_000, 60_000])).to.equal(2);
    expect(batchSize(Array<number>(300).fill(10))).to.equal(100);
  });

  it("gives each publish its own error", async () => {
    relay.answer = (_, res) =>
      json(res, 200, {
        results: [
          { topic: "a", epoch: "e", offset: 9 },
          { topic: "b", error: { code: "forbidden", message: "No", retry: "never" } },
        ],
      });
    const site = emitter.site("5");
    const [a, b] = await Promise.all([site.publish("a"), refusal(site.publish("b"))]);
    expect(a).to.deep.equal({ epoch: "e", offset: 9 });
    expect([b.code, b.message]).to.deep.equal(["forbidden", "No"]);
  });

  it("retries with the same idempotency key, the caller's or one of its own", async () => {
    relay.answer = (sent, res) =>
      relay.sent.length < 3 ? json(res, 503, { error: { code: "unavailable", message: "Redis is away", retry: "later" } }) : ok(sent, res);
    expect(await emitter.site("5").publish("a", {}, { idempotencyKey: "k" })).to.deep.equal({ epoch: "e", offset: 1 });
    const messages = relay.sent.map(({ messages }) => messages[0]);
    for (const message of messages) expect(message).to.include({ idempotencyKey: "k" });
  });

  it("comes through after a connection that broke", async () => {
    relay.answer = (sent, res) => (relay.sent.length === 1 ? res.destroy() : ok(sent, res));
    expect(await emitter.site("5").publish("a")).to.deep.equal({ epoch: "e", offset: 1 });
    expect(relay.sent[0]?.messages[0]?.idempotencyKey).to.equal(relay.sent[1]?.messages[0]?.idempotencyKey);
  });

  const answers: [string, number, unknown, string][] = [
    ["a refusal in the contract's shape", 403, { error: { code: "wrong-site", message: "x", retry: "never" } }, "wrong-site"],
    ["an unknown code that acts by its retry", 400, { error: { code: "novel", message: "x", retry: "never" } }, "bad-request"],
    ["a wrong key", 401, "nope", "forbidden"],
    ["a proxy's 413", 413, "nope", "too-large"],
    ["a proxy's 422", 422, "nope", "rejected"],
    ["a refusal by the backend", 422, { error: { code: "rejected", message: "x", retry: "never", reason: { code: 7 } } }, "rejected"],
    ["a page instead of the API", 404, "nope", "unavailable"],
    ["a redirect", 302, "nope", "unavailable"],
    ["too few results", 200, { results: [] }, "unavailable"],
    ["something else than results", 200, [], "unavailable"],
  ];
  for (const [what, status, body, code] of answers) {
    it(`reads ${what} as ${code}`, async () => {
      relay.answer = (_, res) => json(res, status, body, status === 302 ? { location: "/elsewhere" } : {});
      expect((await refusal(emitter.site("5").publish("a"))).code).to.equal(code);
    });
  }

  it("honours Retry-After where there is time", async () => {
    relay.answer = (_, res) => json(res, 429, "slow down", { "retry-after": "60" });
    const error = await refusal(emitter.site("5").publish("a"));
    expect([error.code, error.after, relay.sent.length]).to.deep.equal(["limit", 60_000, 1]);
  });

  it("resolves null where the relay is switched off", async () => {
    relay.answer = (_, res) => json(res, 200, { results: null });
    expect(await emitter.site("5").publish("a")).to.equal(null);
    expect(await emitter.site("5").publish(["a", "b"])).to.equal(null);
  });

  it("rejects in time where the relay never answers", async () => {
    relay.answer = () => undefined;
    const begin = performance.now();
    expect((await refusal(emitter.site("5").publish("a"))).code).to.equal("unavailable");
    expect(performance.now() - begin).to.be.within(100, 480);
  });

  it("rejects in time where nobody listens", async () => {
    const nowhere = createEmitter({ url: "http://127.0.0.1:1", apiKey: "k", timeout: 200 });
    const begin = performance.now();
    expect((await refusal(nowhere.site("5").publish("a"))).code).to.equal("unavailable");
    expect(performance.now() - begin).to.be.below(280);
    await nowhere.close();
  });
});

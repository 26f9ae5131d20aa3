import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { createClient, type Client } from "@bellwire/client";
import { createEmitter, createTokenEndpoint, defineTopic, toNodeHandler } from "@bellwire/emitter";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { connectToken, subscribeToken } from "../support/tokens.js";

const COUNT = 500;
const NAME = "\u{1F514}\u{1F469}\u200D\u{1F4BB} अमीर";
const topicOf = (i: number): string => `room.${i}-7f9c24e5-2b1d-4a37-9d0e-7a1f00c4f1aa`;

describe("a page of 500 subscriptions that no single token has room for", () => {
  let relay: TestRelay;
  let server: Server;
  let client: Client;
  let asked: number;
  /** The endpoint that the page asks. */
  let serve: RequestListener;

  beforeEach(async () => {
    relay = await createTestRelay();
    asked = 0;
    server = createServer((request, response) => {
      asked++;
      serve(request, response);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    client = createClient({ endpoint: `http://127.0.0.1:${port}/realtime`, onError: () => undefined });
  });
  afterEach(async () => {
    client.close();
    server.closeAllConnections();
    server.close();
    await relay.close();
  });

  async function subscribeAll(onMessage: (topic: string) => void = () => undefined): Promise<void> {
    const subscriptions = Array.from({ length: COUNT }, (_, i) =>
      client.subscribe(topicOf(i), { name: NAME }, ({ topic }) => onMessage(topic)),
    );
    await Promise.all(subscriptions.map(({ ready }) => ready));
  }

  it("has them all after one request to the endpoint, and hears what is published", async () => {
    serve = toNodeHandler(
      createTokenEndpoint({
        key: relay.appKey,
        url: relay.url,
        topics: [defineTopic("room.{id}", () => true)],
        authenticate: () => ({ site: 5, user: "ann" }),
      }),
    );
    const wanted = new Set([topicOf(0), topicOf(COUNT - 1)]);
    let onBoth: () => void;
    const both = new Promise<void>((resolve) => (onBoth = resolve));
    await subscribeAll((topic) => wanted.delete(topic) && wanted.size === 0 && onBoth());
    expect(asked).to.equal(1);
    await using emitter = createEmitter({ url: relay.httpUrl, apiKey: relay.apiKey });
    await emitter.site(5).publish([...wanted], { name: NAME });
    await both;
  });

  it("has them all from an endpoint that signs one grant for each of them into one token", async () => {
    serve = (request, response) => {
      let text = "";
      request.on("data", (data: Buffer) => (text += data.toString()));
      request.on("end", () => {
        const { subscriptions } = JSON.parse(text) as { subscriptions?: object[] };
        const claims = { site: "5", sub: "ann" };
        const more = subscriptions && { subscribeToken: subscribeToken(relay.appKey, { ...claims, grants: subscriptions }) };
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ enabled: true, url: relay.url, site: "5", token: connectToken(relay.appKey, claims), ...more }));
      });
    };
    await subscribeAll();
    expect(asked).to.be.within(3, 40);
  });
});

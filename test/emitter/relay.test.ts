import { expect } from "chai";
import { createEmitter, createTokenEndpoint, defineTopic } from "@bellwire/emitter";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { RawClient } from "../support/socket.js";
import { refusal } from "./scripted-transport.js";

const TOPIC = "Contact_Updated_Topic";

describe("an emitter and a relay", () => {
  let relay: TestRelay;
  beforeEach(async () => {
    relay = await createTestRelay();
  });
  afterEach(() => relay.close());

  it("agree on messages, tokens and positions", async () => {
    const endpoint = createTokenEndpoint({
      key: relay.appKey,
      url: relay.url,
      topics: [defineTopic(TOPIC, () => true)],
      authenticate: () => ({ site: "5", user: "ann" }),
    });
    const ids = Array.from({ length: 300 }, (_, id) => id);
    const request = new Request("http://x/", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ subscriptions: ids.map((id) => ({ topic: TOPIC, filter: { id } })) }),
    });
    const { token, subscribeToken, url } = (await (await endpoint(request)).json()) as Record<string, string>;
    const client = new RawClient({ url: url as string, appKey: "", auth: { v: 1, token } });
    try {
      expect((await client.hello).user).to.equal("ann");
      const items = ids.map((id) => ({ id: `s${id}`, topic: TOPIC, filter: { id }, token: subscribeToken }));
      const { results } = await client.emit<{ results: object[] }>("subscribe", items);
      expect(results.filter((result) => "error" in result)).to.deep.equal([]);

      await using emitter = createEmitter({ url: relay.httpUrl, apiKey: relay.apiKey });
      const site = emitter.site("5");
      const position = await site.publish(TOPIC, { id: 7 });
      await client.until(() => client.messages(TOPIC).length > 0);
      const [message] = client.messages(TOPIC);
      expect([message?.[0], message?.[2]]).to.deep.equal([position?.offset, { id: 7 }]);

      const first = await site.publish(TOPIC, { id: 8 }, { idempotencyKey: "k" });
      expect(await site.publish(TOPIC, { id: 8 }, { idempotencyKey: "k" })).to.deep.equal(first);
    } finally {
      client.close();
    }
  });

  it("carry any text as it is: emoji, a lone surrogate, line ends", async () => {
    const texts = ["\u{1F514}\u{1F469}\u200D\u{1F4BB}", "half of one: \ud83d", "\udd14 the other half", "a\nb\u2028c\u0000"];
    const client = new RawClient({ url: relay.url, appKey: relay.appKey, site: "5" });
    try {
      await client.hello;
      await client.subscribe({ id: "all", topic: TOPIC });
      await using emitter = createEmitter({ url: relay.httpUrl, apiKey: relay.apiKey });
      for (const text of texts) await emitter.site("5").publish(TOPIC, { text, [text]: 1 });
      await client.until(() => client.messages(TOPIC).length === texts.length);
      expect(client.messages(TOPIC).map(([, , data]) => data)).to.deep.equal(texts.map((text) => ({ text, [text]: 1 })));
    } finally {
      client.close();
    }
  });

  it("agree on what is refused", async () => {
    await using stranger = createEmitter({ url: relay.httpUrl, apiKey: "not-the-key" });
    const error = await refusal(stranger.site("5").publish(TOPIC));
    expect(error.retry).to.not.equal("later");
    await using generous = createEmitter({ url: relay.httpUrl, apiKey: relay.apiKey, maxDataBytes: 10_000 });
    expect((await refusal(generous.site("5").publish(TOPIC, { a: "x".repeat(5000) }))).code).to.equal("too-large");
  });
});

describe("an emitter on Redis", () => {
  before(function () {
    requires("redis-server", this);
  });

  it("publishes, and fails in time while Redis is away", async () => {
    const redis = await TestRedis.start();
    try {
      let warnings = 0;
      let warn: () => void = () => undefined;
      const warned = new Promise<void>((resolve) => (warn = resolve));
      const onNoRelay = (): void => {
        warnings++;
        warn();
      };
      await using emitter = createEmitter({ redis: redis.url, timeout: 600, onNoRelay });
      const site = emitter.site("5");
      const first = await site.publish(TOPIC, { id: 1 });
      const results = await site.publish([TOPIC, "other"], { id: 2 });
      expect(results?.[0]).to.deep.equal({ topic: TOPIC, epoch: first?.epoch, offset: (first?.offset as number) + 1 });
      await warned;

      await redis.kill();
      const begin = performance.now();
      expect((await refusal(site.publish(TOPIC, { id: 3 }))).code).to.equal("unavailable");
      expect(performance.now() - begin).to.be.below(700);

      const late = site.publish(TOPIC, { id: 4 });
      await redis.run();
      expect(await late.catch(() => site.publish(TOPIC, { id: 4 })), "it comes back by itself").to.have.property("offset");
      expect(warnings).to.equal(1);
    } finally {
      await redis.stop();
    }
  });

  it("loses nothing to a Redis that hangs for a moment, and publishes nothing twice", async () => {
    const redis = await TestRedis.start();
    try {
      await using emitter = createEmitter({ redis: redis.url, onNoRelay: () => undefined });
      const site = emitter.site("5");
      const before = await site.publish(TOPIC, { id: 0 });
      redis.signal("SIGSTOP");
      // Longer than one attempt takes, so that each is sent at least twice.
      setTimeout(() => redis.signal("SIGCONT"), 2500);
      const positions = await Promise.all(Array.from({ length: 20 }, (_, id) => site.publish(TOPIC, { id })));
      const offsets = positions.map((position) => (position?.offset ?? 0) - (before?.offset ?? 0)).sort((a, b) => a - b);
      expect(offsets).to.deep.equal(Array.from({ length: 20 }, (_, i) => i + 1));
    } finally {
      await redis.stop();
    }
  });
});

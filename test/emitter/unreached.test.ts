import { once } from "node:events";
import { expect } from "chai";
import { createEmitter, type EmitterOptions } from "@bellwire/emitter";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { stablePort } from "../support/stable-port.js";
import { refusal, ScriptedTransport } from "./scripted-transport.js";

const TOPIC = "Contact_Updated_Topic";
// Longer than a test may take: what waits for it fails.
const timeout = 60_000;

/** Errors that are reported, to be awaited one by one. */
function reports(): { onError: NonNullable<EmitterOptions["onError"]>; next: () => Promise<Error>; all: Error[] } {
  const events = new EventTarget();
  const all: Error[] = [];
  let taken = 0;
  return {
    all,
    onError: (error) => {
      all.push(error);
      events.dispatchEvent(new Event("report"));
    },
    next: async () => {
      while (all.length <= taken) await once(events, "report");
      return all[taken++] as Error;
    },
  };
}

describe("a publish to what was never reached", () => {
  const cases: [string, (port: number) => EmitterOptions, (port: number) => string][] = [
    ["Redis", (port) => ({ redis: `redis://127.0.0.1:${port}` }), (port) => `Redis at 127.0.0.1:${port} can't be reached`],
    [
      "Redis by its Sentinels",
      (port) => ({ redis: { sentinels: [{ host: "127.0.0.1", port }], name: "main" } }),
      (port) => `Redis at main by the sentinels 127.0.0.1:${port} can't be reached`,
    ],
    ["a Cluster", (port) => ({ redis: { nodes: [{ host: "127.0.0.1", port }] } }), (port) => `Redis at 127.0.0.1:${port} can't be reached`],
    [
      "a relay",
      (port) => ({ url: `http://127.0.0.1:${port}/ws`, apiKey: "k" }),
      (port) => `The relay at http://127.0.0.1:${port} can't be reached`,
    ],
  ];
  for (const [what, options, sentence] of cases) {
    it(`fails with the first attempt to connect, and names the address and the cause: ${what}`, async () => {
      const port = await stablePort();
      await using emitter = createEmitter({ ...options(port), timeout, onError: () => undefined });
      const error = await refusal(emitter.site("5").publish(TOPIC, { id: 5 }));
      expect(error.code).to.equal("unavailable");
      expect(error.message)
        .to.contain(`Nothing was sent: ${sentence(port)}: `)
        .and.match(/ECONNREFUSED|All sentinels are unreachable|no node takes connections/);
      expect((await refusal(emitter.site("5").user("ann").disconnect())).message).to.contain(`Nothing was sent: ${sentence(port)}`);
      const results = await emitter.site("5").publish([TOPIC, "other"]);
      for (const result of results ?? []) expect(result).to.have.nested.property("error.code", "unavailable");
    });
  }

  it("works as soon as somebody is there", async function () {
    requires("redis-server", this);
    const redis = await TestRedis.start();
    try {
      await redis.kill();
      await using emitter = createEmitter({ redis: redis.url, timeout, onError: () => undefined, onNoRelay: () => undefined });
      for (let i = 0; i < 5; i++) await refusal(emitter.site("5").publish(TOPIC));
      await redis.run();
      let position = null;
      // The last failure answers for a moment.
      while (position === null)
        position = await emitter
          .site("5")
          .publish(TOPIC)
          .catch(() => null);
      expect(position).to.have.property("offset", 1);
    } finally {
      await redis.stop();
    }
  });

  it("says what Redis refuses it for", async function () {
    requires("redis-server", this);
    const redis = await TestRedis.start(["--requirepass", "right"]);
    try {
      await using emitter = createEmitter({ redis: `redis://:wrong@127.0.0.1:${redis.port}`, timeout, onError: () => undefined });
      const error = await refusal(emitter.site("5").publish(TOPIC));
      expect(error.message).to.match(/^Nothing was sent: Redis at .*(WRONGPASS|NOAUTH)/);
      expect(error.message).not.to.contain("wrong@");
    } finally {
      await redis.stop();
    }
  });
});

describe("a publish to what was reached before", () => {
  it("waits for it, and then the outcome is unknown", async function () {
    requires("redis-server", this);
    const redis = await TestRedis.start();
    try {
      const { onError, next, all } = reports();
      await using emitter = createEmitter({ redis: redis.url, timeout: 700, onError, onNoRelay: () => undefined });
      await emitter.site("5").publish(TOPIC);
      await redis.kill();
      // Nobody publishes: only onError can be told.
      expect((await next()).message).to.match(new RegExp(`^Redis at 127.0.0.1:${redis.port} can't be reached: .+`));
      const error = await refusal(emitter.site("5").publish(TOPIC));
      expect(error.code).to.equal("unavailable");
      expect(error.message).to.match(
        /unknown, publish it again with the same idempotencyKey: Redis at 127.0.0.1:\d+ can't be reached: .*ECONNREFUSED/,
      );
      expect(all, "once of each outage").to.have.length(1);
    } finally {
      await redis.stop();
    }
  });
});

describe("a publish that is not to be waited for", () => {
  it("resolves at once, while the transport hangs", async () => {
    const transport = new ScriptedTransport("hang", "hang", "hang");
    const site = createEmitter({ transport, timeout }).site("5");
    expect(await site.publish(TOPIC, { id: 5 }, { wait: false })).to.equal(null);
    expect(await site.publish([TOPIC, "other"], {}, { wait: false })).to.equal(null);
    expect(transport.publications.map(({ topic, data }) => [topic, data])).to.deep.equal([
      [TOPIC, '{"id":5}'],
      [TOPIC, "{}"],
      ["other", "{}"],
    ]);
  });

  it("tells onError of whatever fails, wrong arguments included, and nobody else", async () => {
    const { onError, next } = reports();
    const site = createEmitter({ transport: new ScriptedTransport("forbidden", "forbidden", "forbidden"), onError }).site("5");
    expect(await site.publish(TOPIC, {}, { wait: false })).to.equal(null);
    expect(await next()).to.have.property("code", "forbidden");
    expect(await site.user("ann").publish({}, { wait: false })).to.equal(null);
    expect(await next()).to.have.property("code", "forbidden");
    expect(await site.publish(["a"], {}, { wait: false })).to.equal(null);
    expect(await next()).to.have.property("code", "forbidden");
    expect(await site.publish("no topic", {}, { wait: false })).to.equal(null);
    expect(await next()).to.have.property("code", "bad-request");
    expect(await site.publish(TOPIC, [1], { wait: false })).to.equal(null);
    expect(await next()).to.have.property("code", "bad-request");
  });
});

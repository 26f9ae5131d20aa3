import { expect } from "chai";
import { Cluster, Redis } from "ioredis";
import { createEmitter, type EmitterOptions } from "@bellwire/emitter";
import { isIoredisClient, keepsContract, targetOfClient, type IoredisClient } from "../../emitter/src/redis/own-client.js";
import { requires } from "../house/requires.js";
import { AnswerCutter } from "../support/answer-cutter.js";
import { TestRedis } from "../support/redis.js";
import { stablePort } from "../support/stable-port.js";
import { refusal } from "./scripted-transport.js";

const TOPIC = "Contact_Updated_Topic";
const LOG = "bellwire:2:{5:Contact_Updated_Topic}";

/** A client as another copy, or an older version, of ioredis makes it: the same shape, and of no class that we know. */
function foreign(client: Redis | Cluster): IoredisClient {
  const { options, status } = client;
  const fail = (): never => {
    throw new Error("A foreign client is not for us to use");
  };
  const startupNodes = client instanceof Cluster ? (client as unknown as { startupNodes: unknown }).startupNodes : undefined;
  return {
    options: { ...options },
    status,
    defineCommand: fail,
    duplicate: fail,
    ...(client instanceof Cluster ? { nodes: fail, startupNodes } : {}),
  } as IoredisClient;
}

describe("a client of the application's", () => {
  let server: TestRedis;
  let way: AnswerCutter;

  before(async function () {
    requires("redis-server", this);
    server = await TestRedis.start(["--requirepass", "secret"]);
    way = await AnswerCutter.open(server.port);
  });
  after(async () => {
    way?.close();
    await server?.stop();
  });
  beforeEach(async () => {
    const redis = new Redis({ port: server.port, password: "secret" });
    await redis.flushall();
    redis.disconnect();
  });

  async function published(): Promise<string[]> {
    const redis = new Redis({ port: server.port, password: "secret", db: 2 });
    const rows = await redis.xrange(LOG, "-", "+");
    redis.disconnect();
    return rows.map(([, fields]) => fields[fields.indexOf("d") + 1] as string).filter((data) => data !== "");
  }

  const common = { host: "127.0.0.1", password: "secret", db: 2, lazyConnect: true };
  const clients: [string, () => { given: IoredisClient; client: Redis }][] = [
    [
      "with ioredis's defaults",
      () => {
        const client = new Redis({ ...common, port: way.port });
        return { given: client, client };
      },
    ],
    [
      "with ioredis's defaults, connected",
      () => {
        const client = new Redis({ ...common, port: way.port, lazyConnect: false });
        return { given: client, client };
      },
    ],
    [
      "of another copy or version",
      () => {
        const client = new Redis({ ...common, port: way.port });
        return { given: foreign(client), client };
      },
    ],
    [
      "that keeps the contract",
      () => {
        const contract = { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0, enableOfflineQueue: false };
        const client = new Redis({ ...common, ...contract, port: way.port });
        return { given: client, client };
      },
    ],
  ];
  for (const [what, make] of clients) {
    it(`publishes each message once, although every answer is lost the first time: ${what}`, async () => {
      const { given, client } = make();
      client.on("error", () => undefined);
      try {
        await using emitter = createEmitter({ redis: given, onNoRelay: () => undefined, onError: () => undefined });
        for (let id = 1; id <= 3; id++) {
          way.lose(1, /\$\d+\r\n\d{16} \d+/); // the answer of the script: an epoch and an offset
          const before = way.cut;
          expect(await emitter.site("5").publish(TOPIC, { id })).to.have.property("offset", id);
          expect(way.cut, "answers lost").to.equal(before + 1);
        }
        expect(await published()).to.deep.equal(['{"id":1}', '{"id":2}', '{"id":3}']);
      } finally {
        way.lose(0, /./);
        client.disconnect();
      }
    });
  }

  it("is left open where it is used, with no listener of ours, and is not touched where it is not", async () => {
    for (const [, make] of clients) {
      const { given, client } = make();
      client.on("error", () => undefined);
      const counted = ["ready", "error", "end"].map((event) => client.listenerCount(event));
      const emitter = createEmitter({ redis: given, onNoRelay: () => undefined });
      await emitter.site("5").publish(TOPIC);
      await emitter.close();
      expect(["ready", "error", "end"].map((event) => client.listenerCount(event))).to.deep.equal(counted);
      expect(client.status).not.to.be.oneOf(["end", "close"]);
      expect(client.status === "ready" || client.status === "wait" || !keepsContract(given)).to.equal(true);
      client.disconnect();
    }
  });

  it("may be of a Cluster, whose nodes and secrets are taken over", () => {
    const dnsLookup = (address: string, callback: (error: null, address: string) => void): void => callback(null, address);
    const natMap = { "10.0.0.1:7000": { host: "h", port: 1 } };
    const cluster = new Cluster([{ host: "h1", port: 7001 }, "redis://h2:7002"], {
      lazyConnect: true,
      natMap,
      dnsLookup,
      redisOptions: { username: "u", password: "p", tls: { servername: "s" }, maxRetriesPerRequest: 3 },
    });
    expect(isIoredisClient(cluster)).to.equal(true);
    expect(keepsContract(cluster)).to.equal(false);
    expect(targetOfClient(foreign(cluster))).to.deep.equal({
      nodes: [
        { host: "h1", port: 7001 },
        { host: "h2", port: 7002 },
      ],
      options: { username: "u", password: "p", tls: { servername: "s" } },
      addresses: { natMap, dnsLookup },
    });
    cluster.disconnect();
  });

  it("may find its master by Sentinels", () => {
    const sentinels = [{ host: "h", port: 26_379 }];
    const client = new Redis({ sentinels, name: "main", password: "p", db: 3, lazyConnect: true, role: "slave" });
    const target = targetOfClient(foreign(client)) as object;
    expect(target).to.deep.include({ sentinels, name: "main", password: "p", db: 3 });
    expect(target).not.to.have.any.keys("role", "maxRetriesPerRequest", "enableOfflineQueue", "retryStrategy");
    client.disconnect();
  });
});

describe("what names no Redis", () => {
  class NodeRedisClient {
    options = {};
    sendCommand(): void {}
  }
  const wrong: [string, unknown, RegExp][] = [
    ["options without a host", { port: 6380 }, /redis names no host: \{port\}; it must be a URL/],
    ["an undefined host", { host: undefined, port: 6379 }, /redis names no host/],
    ["an empty object", {}, /redis names no host/],
    ["a client of another library", new NodeRedisClient(), /redis is of the class NodeRedisClient; it must be a URL/],
    ["a number", 6379, /redis is a URL like/],
    ["an empty text", "", /must be a URL that begins with redis:/],
    ["an address without redis://", "127.0.0.1:6379", /must be a URL that begins with redis:/],
    ["a URL without a host", "redis:///2", /names no host/],
    ["a URL with a path", "redis://h/abc", /must end in a database number/],
    ["a database in the query", "redis://h?db=2", /not \?db=/],
    ["no sentinels", { sentinels: [], name: "m" }, /redis.sentinels is a list/],
    ["sentinels without a name", { sentinels: [{ host: "h", port: 1 }] }, /redis.sentinels needs redis.name/],
    ["no nodes", { nodes: [] }, /redis.nodes is a list/],
    ["nodes without ports", { nodes: [{ host: "h" }] }, /redis.nodes is a list/],
  ];
  for (const [what, redis, message] of wrong) {
    it(`is refused at once, and never taken for localhost: ${what}`, () => {
      expect(() => createEmitter({ redis } as EmitterOptions)).to.throw(TypeError, message);
    });
  }

  it("is refused without its password", () => {
    expect(() => createEmitter({ redis: "http://u:secret@h" })).to.throw(TypeError, /"http:\/\/\*\*\*@h"/);
  });

  it("is what the foreign client says, not localhost's own server", async () => {
    const port = await stablePort();
    const client = new Redis({ host: "127.0.0.1", port, lazyConnect: true });
    await using emitter = createEmitter({ redis: foreign(client), timeout: 60_000, onError: () => undefined });
    expect((await refusal(emitter.site("5").publish(TOPIC))).message).to.contain(`Redis at 127.0.0.1:${port} can't be reached`);
    client.disconnect();
  });
});

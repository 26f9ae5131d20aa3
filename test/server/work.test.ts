import { expect } from "chai";
import { createEmitter } from "@bellwire/emitter";
import { parseFilter, type JsonObject } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import type { Redis } from "ioredis";
import { Member, type Recipient } from "../../server/src/feed/member.js";
import { Message } from "../../server/src/feed/message.js";
import { Rooms } from "../../server/src/feed/rooms.js";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { eventually, post, Stage } from "./stage.js";

// What bench/ measures in time is counted here in work, which is the same on every machine: a regression fails a test.

describe("the work of a relay", () => {
  const stage = Stage.forEachTest();

  it("is one write to a socket for all messages that one turn brings it", async () => {
    const relay = await stage.relay();
    const clients = await Promise.all(Array.from({ length: 20 }, () => stage.connect(relay)));
    await Promise.all(clients.map((client) => client.subscribe({ id: "1", topic: "Burst" })));
    const messages = Array.from({ length: 100 }, (_, id) => ({ topic: "Burst", data: { id } }));
    expect((await post(relay, "5", { messages })).status).to.equal(200);
    for (const client of clients) {
      await client.until(() => client.messages("Burst").length === 100);
      expect(client.received).to.have.length(1);
    }
  });

  it("is one look-up per shape in use for a message, whatever the number of subscriptions", () => {
    const rooms = new Rooms("T");
    for (let i = 0; i < 10_000; i++) {
      rooms.join(new Member({} as Recipient), parseFilter({ id: i }));
      rooms.join(new Member({} as Recipient), parseFilter({ id: i, type: "a" }));
    }
    rooms.join(new Member({} as Recipient), parseFilter({}));
    const reads: string[] = [];
    const message = new Message({ offset: 1, time: 0, data: '{"id":5,"type":"a"}', except: undefined });
    const data = new Proxy(message.data, {
      get: (target, key) => {
        reads.push(String(key));
        return (target as Record<PropertyKey, unknown>)[key];
      },
    });
    const counted: Message = Object.create(message, { data: { value: data satisfies JsonObject } }) as Message;
    expect(rooms.route(counted)).to.have.length(3);
    expect(reads).to.have.members(["id", "id", "type"]);
  });
});

describe("the work of Redis", function () {
  this.timeout(30_000);
  const stage = Stage.forEachTest();
  let redis: TestRedis;
  let raw: Redis;

  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
    raw = redis.client();
  });
  after(async () => {
    raw?.disconnect();
    await redis?.stop();
  });

  async function relay(): Promise<TestRelay> {
    const started = await stage.relay({ env: { APP_KEY: "k".repeat(40), REDIS_URL: redis.url } });
    await eventually(() => started.relay.log.status.up, "Redis is up");
    return started;
  }

  /** Calls of each command, also from within scripts, while something is done. */
  async function calls(work: () => Promise<unknown>): Promise<Record<string, number>> {
    await raw.config("RESETSTAT");
    await work();
    const stats = [...(await raw.info("commandstats")).matchAll(/cmdstat_(\S+?):calls=(\d+)/g)];
    return Object.fromEntries(stats.map(([, name, count]) => [name, Number(count)]));
  }

  it("is one call of the script for fifty messages that one turn publishes to a topic, and a bounded number of commands in it", async () => {
    const emitter = createEmitter({ redis: redis.url, onNoRelay: () => undefined });
    stage.closeLater(() => emitter.close());
    const site = emitter.site("5");
    await site.publish("Turn", {});
    const many = await calls(() => Promise.all(Array.from({ length: 100 }, (_, id) => site.publish("Turn", { id }))));
    expect(many).to.include({ evalsha: 2, xadd: 100, spublish: 100 });
    const others = Object.entries(many).filter(([name]) => !/^(config|info|evalsha|xadd|spublish)/.test(name));
    expect(
      others.reduce((sum, [, count]) => sum + count, 0),
      JSON.stringify(others),
    ).to.be.at.most(12);

    const one = await calls(() => site.publish("Turn", {}));
    expect(one).to.include({ evalsha: 1, xadd: 1, spublish: 1 });
    expect(Object.keys(one).filter((name) => !name.startsWith("config")).length, JSON.stringify(one)).to.be.at.most(9);
  });

  it("is one read of a log for all who come back to a relay at once", async () => {
    const first = await relay();
    const topics = ["A", "B", "C", "D"];
    const since = new Map<string, { epoch: string; offset: number }>();
    for (const topic of topics) {
      const { body } = await post(first, "5", { messages: Array.from({ length: 5 }, (_, id) => ({ topic, data: { id } })) });
      since.set(topic, { epoch: body.results?.[0]?.epoch as string, offset: 1 });
    }
    const second = await relay();
    const clients = await Promise.all(Array.from({ length: 50 }, () => stage.connect(second)));
    const counts = await calls(async () => {
      const answers = await Promise.all(
        clients.map((client) => client.subscribe(...topics.map((topic) => ({ id: topic, topic, since: since.get(topic) ?? null })))),
      );
      for (const results of answers)
        for (const result of results) expect(result).to.deep.include({ resync: false }).and.have.property("messages").with.length(4);
    });
    // Each read of a log makes this call once. The probe's comparison may come between.
    expect(counts["xinfo|stream"]).to.be.within(topics.length, 2 * topics.length);
    expect(counts["ssubscribe"]).to.equal(topics.length);
  });

  it("never reaches a relay where nobody watches the topic", async () => {
    const [watching, idle] = [await relay(), await relay()];
    const client = await stage.connect(watching);
    const bystander = await stage.connect(idle);
    await client.subscribe({ id: "1", topic: "Busy" });
    await bystander.subscribe({ id: "1", topic: "Quiet" });
    const heard = idle.relay.stats.heard;
    const messages = Array.from({ length: 500 }, (_, id) => ({ topic: "Busy", data: { id } }));
    expect((await post(idle, "5", { messages })).status).to.equal(200);
    await client.until(() => client.messages("Busy").length === 500);
    await post(idle, "5", { topic: "Quiet", data: {} });
    await bystander.until(() => bystander.messages("Quiet").length === 1);
    expect(idle.relay.stats.heard - heard).to.equal(1);
  });
});

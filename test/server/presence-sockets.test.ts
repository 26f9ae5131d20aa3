import { expect } from "chai";
import type { TestRelay } from "@bellwire/server/testing";
import { connectCommands, Keys } from "@bellwire/emitter/redis";
import { readConfig } from "../../server/src/config/config.js";
import type { FileInput } from "../../server/src/config/file.js";
import { Attendance } from "../../server/src/presence/attendance.js";
import { MemoryNotices } from "../../server/src/stores/memory/notices.js";
import { MemoryPresence } from "../../server/src/stores/memory/presence.js";
import { Lease } from "../../server/src/redis/lease.js";
import { RedisPresence } from "../../server/src/stores/redis/presence.js";
import { PresenceRoster } from "../../server/src/presence/roster.js";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import type { RawClient } from "../support/socket.js";
import { API_KEY, APP_KEY } from "./controlled.js";
import { eventually, Stage } from "./stage.js";

interface Change {
  joined: { user: string; info?: unknown }[];
  left: { user: string }[];
  count: number;
}

/** What a client was told of a topic's presence. */
function changes(client: RawClient): [topic: string, change: Change][] {
  const heard: [string, Change][] = [];
  client.socket.on("presence", (topic: string, change: Change) => heard.push([topic, change]));
  return heard;
}

describe("presence over real sockets", () => {
  const stage = Stage.forEachTest();
  let redis: TestRedis;
  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
  });
  after(() => redis?.stop());

  /** A relay with presence on the topics P*. */
  async function relay(): Promise<[TestRelay, PresenceRoster]> {
    const started = await stage.relay({ env: { APP_KEY, REALTIME_API_KEY: API_KEY, REDIS_URL: redis.url } });
    await eventually(() => started.relay.log.status.up, "the relay is up");
    const redisClient = connectCommands(redis.url);
    redisClient.on("error", () => undefined);
    const keys = new Keys();
    const onTrouble = (): void => undefined;
    const lease = new Lease({ redis: redisClient, keys, relay: started.relay.id, onTrouble });
    const store = new RedisPresence({ target: redis.url, keys, redis: redisClient, lease, onTrouble });
    const allowed = (topic: string): "list" | false => (topic.startsWith("P") ? "list" : false);
    const roster = new PresenceRoster({ store, allowed, timing: { grace: 50 }, onTrouble });
    (started.relay.subscriptions.observers as unknown[]).push(roster); // the same class, once as source and once as built
    stage.closeLater(async () => {
      roster.close();
      await lease.close(0);
      redisClient.disconnect();
    });
    return [started, roster];
  }

  it("is told to subscribers on all relays, in frames that any client reads", async () => {
    const [[one, roster], [two]] = [await relay(), await relay()];
    const ann = await stage.connect(one, { claims: { sub: "ann", info: { name: "Änn" } } });
    const heard = changes(ann);
    await ann.subscribe({ id: "a", topic: "P1", filter: { id: 5 } }, { id: "b", topic: "Other" });
    await eventually(() => heard.length === 1, "ann hears of herself");
    const bob = await stage.connect(two, { claims: { sub: "bob" }, transports: ["polling"] });
    const [polled, silent] = [changes(bob), heard.length];
    await bob.subscribe({ id: "a", topic: "P1", filter: { id: 6 } });
    await eventually(() => heard.length > silent && polled.length > 0, "both hear of bob");
    expect(heard.at(-1)).to.deep.equal(["P1", { joined: [{ user: "bob" }], left: [], count: 2 }]);
    const present = await roster.list("5", "P1");
    expect(present.users).to.deep.include.members([{ user: "ann", info: { name: "Änn" } }, { user: "bob" }]);
    bob.socket.io.engine.close();
    await eventually(() => heard.at(-1)?.[1].left[0]?.user === "bob", "ann hears that bob is gone");
    expect(heard.at(-1)).to.deep.equal(["P1", { joined: [], left: [{ user: "bob" }], count: 1 }]);
    expect(heard.every(([topic]) => topic === "P1")).to.equal(true);
  });
});

describe("what a relay keeps of who is there", () => {
  const started: string[] = [];
  const stores = {
    presence: Object.assign(new MemoryPresence(), { start: () => started.push("presence") }),
    notices: Object.assign(new MemoryNotices(), { start: () => started.push("notices") }),
  };
  const open = (settings: FileInput): Attendance => {
    const config = readConfig({}, settings);
    return new Attendance({
      config,
      stores: { ...stores, settings: config.settings } as never,
      onUndelivered: () => undefined,
      onTrouble: () => undefined,
    });
  };
  afterEach(() => started.splice(0));

  it("is nothing where nobody asked for it", async () => {
    const none = open({});
    expect([started, none.connectionObservers, none.subscriptionObservers]).to.deep.equal([[], [], []]);
    await none.close();
  });

  it("is what topics and backends ask for", async () => {
    const both = open({ topics: { "P*": { presence: true } }, hooks: { notices: { url: "http://127.0.0.1:9" } } });
    expect(started).to.deep.equal(["presence", "notices"]);
    expect([both.connectionObservers.length, both.subscriptionObservers.length]).to.deep.equal([1, 2]);
    await both.close();
  });
});

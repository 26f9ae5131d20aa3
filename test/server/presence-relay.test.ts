import { expect } from "chai";
import type { WireError } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import type { RawClient } from "../support/socket.js";
import { HookBackend } from "./hooks-backend.js";
import { eventually, request, Stage } from "./stage.js";

interface Who {
  readonly users: { readonly user: string; readonly info: unknown }[];
  readonly count: number;
}

describe("presence, watching and notices, on two relays", function () {
  this.timeout(20_000);
  const stage = Stage.forEachTest();
  let redis: TestRedis;

  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
  });
  after(() => redis?.stop());

  async function relay(hooks: object = {}): Promise<TestRelay> {
    const topics = { "room.*": { presence: true }, "crowd.*": { presence: "count" } };
    const started = await stage.relay({ file: { topics, hooks }, env: { APP_KEY: "k".repeat(40), REDIS_URL: redis.url } });
    await eventually(() => started.relay.log.status.up, "Redis is up");
    return started;
  }

  const who = (client: RawClient, topic: string): Promise<Who & { error?: WireError }> => client.emit("presence", { topic });

  function get(on: TestRelay, path: string): ReturnType<typeof request> {
    return request(`${on.httpUrl}/v1/sites/5${path}`, { headers: { authorization: `Bearer ${on.apiKey}` } });
  }

  it("shows who is there, with several tabs counted once, and tells of joins", async () => {
    const [one, two] = [await relay(), await relay()];
    const ann = await stage.connect(one, { claims: { sub: "ann", info: { name: "Ann" } } });
    expect((await ann.hello).features).to.include("presence");
    const joined = new Promise<{ joined: { user: string }[] }>((resolve) => {
      ann.socket.on("presence", (topic: string, change: { joined: { user: string }[] }) => {
        if (topic === "room.1" && change.joined.some(({ user }) => user === "bob")) resolve(change);
      });
    });
    await ann.subscribe({ id: "1", topic: "room.1" });
    const bobs = [await stage.connect(two, { claims: { sub: "bob" } }), await stage.connect(one, { claims: { sub: "bob" } })];
    for (const bob of bobs) await bob.subscribe({ id: "1", topic: "room.1" });
    await joined;
    const seen = await who(ann, "room.1");
    expect(seen.count).to.equal(2);
    expect(seen.users.find(({ user }) => user === "ann")?.info).to.deep.equal({ name: "Ann" });
    const { status, body } = await get(two, "/topics/room.1/presence");
    expect([status, body.count]).to.deep.equal([200, 2]);
    expect((await who(ann, "room.2")).error?.code, "not subscribed there").to.equal("forbidden");
    expect((await who(ann, "news")).error?.code, "no presence there").to.equal("forbidden");
  });

  it("tells how many only, where the topic says so", async () => {
    const one = await relay();
    const ann = await stage.connect(one);
    await ann.subscribe({ id: "1", topic: "crowd.1" });
    const seen = await who(ann, "crowd.1");
    expect(seen).to.deep.include({ users: [], count: 1 });
  });

  it("tells publishers whether anybody watches, on any relay", async () => {
    const [one, two] = [await relay(), await relay()];
    const watched = async (query: string): Promise<unknown> => (await get(one, `/watched?${query}`)).body.watched;
    const client = await stage.connect(two);
    await client.subscribe({ id: "1", topic: "news", filter: { id: 5 } });
    expect(await watched("topic=news")).to.equal(true);
    expect(await watched(`topic=news&filter=${encodeURIComponent('{"id":5}')}`)).to.equal(true);
    expect(await watched(`topic=news&filter=${encodeURIComponent('{"id":6}')}`)).to.equal(false);
    expect(await watched("topic=nothing")).to.equal(false);
  });

  it("tells the backend who is connected and what is occupied, in signed notices", async () => {
    const backend = await HookBackend.open(stage);
    const events = (): { event: string; user?: string; topic?: string }[] => backend.asked.flatMap(({ body }) => body.events as never[]);
    const one = await relay({ notices: { url: backend.url, events: ["connected", "disconnected", "occupied"] } });
    const ann = await stage.connect(one);
    await ann.subscribe({ id: "1", topic: "news" });
    const has = (event: string, key: "user" | "topic", value: string): boolean =>
      events().some((each) => each.event === event && each[key] === value);
    await eventually(() => has("connected", "user", "ann") && has("occupied", "topic", "news"), "the notices came", 10_000);
    ann.close();
    await eventually(() => has("disconnected", "user", "ann"), "the end was told", 10_000);
    expect(backend.asked[0]?.headers["webhook-signature"]).to.match(/^v1,/);
  });
});

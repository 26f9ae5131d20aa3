import { expect } from "chai";
import type { JsonObject, Subscribed } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import type { RawClient } from "../support/socket.js";
import { eventually, post, request, Stage, subscribed } from "./stage.js";

/** Written as text: an object literal would set a prototype. */
const STRANGE: readonly string[] = [
  '{"id":5,"__proto__":{"admin":true}}',
  '{"id":5,"__proto__":7}',
  '{"id":5,"deep":[{"__proto__":{"admin":true}}]}',
  '{"id":5,"constructor":{"prototype":{"admin":true}}}',
  '{"id":5,"deep":{"constructor":{"prototype":null}},"prototype":1,"toString":"x","hasOwnProperty":1}',
];

for (const onRedis of [true, false]) {
  describe(`data whose keys name what every object has, ${onRedis ? "on Redis" : "in memory"}`, () => {
    const stage = Stage.forEachTest();
    let redis: TestRedis | undefined;
    let relay: TestRelay;
    before(async function () {
      if (!onRedis) return;
      requires("redis-server", this);
      redis = await TestRedis.start();
    });
    after(() => redis?.stop());
    beforeEach(async () => {
      await redis?.forget();
      relay = await stage.relay({
        file: { topics: { "*": { publish: true } } },
        env: redis === undefined ? {} : { REDIS_URL: redis.url },
      });
      await eventually(() => relay.relay.log.status.up, "the log is up");
    });

    /** What was heard, exactly as it was written. */
    function expectHeard(messages: readonly (readonly [number, number, JsonObject, ...unknown[]])[]): void {
      expect(messages.map(([, , data]) => JSON.stringify(data))).to.deep.equal(STRANGE);
      expect(({} as { admin?: boolean }).admin).to.equal(undefined);
    }

    async function watcher(): Promise<RawClient> {
      const client = await stage.connect(relay, { claims: { grants: [{ topic: "*", filter: {}, publish: true }] } });
      await client.emit("subscribe", [{ id: "five", topic: "T", filter: { id: 5 } }]);
      return client;
    }

    it("is published over HTTP and heard as it is: live, after a position, as a replay and in the history", async () => {
      const client = await watcher();
      for (const data of STRANGE) expect((await post(relay, "5", `{"topic":"T","data":${data}}`)).status, data).to.equal(200);
      await client.until(() => client.messages("T").length === STRANGE.length);
      expectHeard(client.messages("T"));
      const { epoch } = client.received[0] as { epoch: string };
      const late = await stage.connect(relay);
      const [since, last] = (await late.subscribe({ id: "a", topic: "T", since: { epoch, offset: 0 } }, { id: "b", topic: "T" })).map(
        subscribed,
      ) as [Subscribed, Subscribed];
      expectHeard(since.messages);
      expect(JSON.stringify(last.messages[0]?.[2])).to.equal(STRANGE.at(-1));
      const history = await request(`${relay.httpUrl}/v1/sites/5/topics/T/history?filter={"id":5}`, {
        headers: { authorization: `Bearer ${relay.apiKey}` },
      });
      expectHeard(history.body.messages as never);
    });

    it("takes nothing else of its batch along", async () => {
      const client = await watcher();
      const messages = STRANGE.map((data) => `{"topic":"T","data":${data}}`);
      const { status, body } = await post(relay, "5", `{"messages":[${messages.join(",")},{"topic":"T","__proto__":{"data":{"id":5}}}]}`);
      expect(status).to.equal(200);
      expect(body.results?.map(({ offset, error }) => error?.code ?? offset)).to.deep.equal([1, 2, 3, 4, 5, "bad-request"]);
      await client.until(() => client.messages("T").length === STRANGE.length);
      expectHeard(client.messages("T"));
    });

    it("is published by clients", async () => {
      const client = await watcher();
      for (const data of STRANGE) {
        expect(await client.emit("publish", { topic: "T", data: JSON.parse(data) as object })).to.have.property("offset");
      }
      await client.until(() => client.messages("T").length === STRANGE.length);
      expectHeard(client.messages("T"));
    });

    it("matches by its own keys only", async () => {
      const client = await watcher();
      // A topic, a filter value and a user that only a prototype has.
      const inherited = '{"__proto__":{"topic":"T","data":{"id":5}}}';
      expect((await post(relay, "5", inherited)).status).to.equal(400);
      expect((await post(relay, "5", '{"topic":"T","data":{"__proto__":{"id":5}}}')).status).to.equal(200);
      await post(relay, "5", { topic: "T", data: { id: 5, last: true } });
      await client.until(() => client.messages("T").length > 0);
      expect(client.messages("T").map(([offset]) => offset)).to.deep.equal([2]);
      for (const key of ["__proto__", "constructor", "prototype"]) {
        const [result] = await client.subscribe({ id: key, topic: "T", filter: JSON.parse(`{"${key}":5}`) as never });
        expect(result).to.have.nested.property("error.code");
      }
    });
  });
}

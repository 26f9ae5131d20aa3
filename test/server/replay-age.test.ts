import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { expect } from "chai";
import fc from "fast-check";
import { BellwireError, type SubscribeResult } from "@bellwire/protocol";
import { Message } from "../../server/src/feed/message.js";
import { recover, type Recovery } from "../../server/src/feed/recovery.js";
import { Ring } from "../../server/src/feed/ring.js";
import { RemoteClock } from "../../server/src/pacing/remote-clock.js";
import { RedisLog } from "../../server/src/stores/redis/log.js";
import { parseSubscribeItem } from "../../server/src/connection/subscribe-item.js";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { codeOf, publish, Stage, subscribed } from "./stage.js";

interface Case {
  readonly name: string;
  readonly replay?: unknown;
  readonly age: number;
  readonly replayed?: boolean;
  readonly error?: string;
}

const vectors = new URL("../../protocol/vectors/replay.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(vectors, "utf8")) as { cases: Case[] };

const NOW = 1_760_000_000_000;
const DAY = 86_400_000;
const SOMEBODY = { user: "ann", session: "s", client: "c" };

/** What a first subscription is answered by a memory that holds messages of these ages, the oldest first. */
function answer(ages: readonly number[], item: object, held = ages.length): Recovery {
  const messages = ages.map((age, i) => new Message({ offset: i + 1, time: NOW - age, data: "{}", except: undefined }));
  const ring = new Ring();
  ring.reset(ages.length, messages.slice(ages.length - held), held === ages.length, { messages: 1000, bytes: 1_000_000 });
  const { since, filter } = parseSubscribeItem({ id: "1", topic: "news", ...item });
  return recover(ring, { epoch: "1", offset: ages.length }, since, filter, SOMEBODY, { now: NOW, oldest: NOW - DAY });
}

describe("the last message at the start", () => {
  const stage = Stage.forEachTest();
  let redis: TestRedis;

  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
  });
  after(() => redis?.stop());

  describe("is told or not, as the vectors say:", () => {
    for (const { name, age, replayed, error, ...item } of cases) {
      it(name, () => {
        if (error === undefined)
          expect(answer([age], item))
            .to.have.property("messages")
            .with.length(replayed === true ? 1 : 0);
        else
          expect(() => answer([age], item))
            .to.throw(BellwireError, /replay/)
            .with.property("code", error);
      });
    }
  });

  it("is checked in an item that comes back, too", () => {
    expect(() => answer([1], { since: null, replay: "page" })).to.throw(BellwireError, /replay is true, false, or \{maxAge/);
    expect(() => answer([1], { since: null, replay: { maxAge: "1" } })).to.throw(BellwireError, /replay\.maxAge/);
  });

  it("is looked for in the log only where it may be young enough", () => {
    const item = { filter: { id: 1 }, replay: { maxAge: 5000 } };
    expect(answer([9000, 8000, 1000], item, 1), "all that memory holds is young").to.equal("older");
    expect(answer([9000, 8000, 1000], item, 2)).to.deep.equal({ messages: [], resync: false });
    expect(answer([9000, 8000, 1000], { filter: { id: 1 } }, 2)).to.equal("older");
  });

  it("is told with a maxAge through a relay on Redis, by the time that Redis gave it", async () => {
    const relay = await stage.relay({ env: { REDIS_URL: redis.url } });
    const client = await stage.connect(relay, { claims: { grants: [{ topic: "*" }] } });
    const first = async (topic: string, replay: unknown): Promise<SubscribeResult> => {
      const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", [
        { id: `${topic} ${JSON.stringify(replay)}`, topic, replay },
      ]);
      return results[0] as SubscribeResult;
    };
    await publish(relay, "young", {});
    expect(subscribed(await first("young", { maxAge: 60_000 })).messages).to.have.length(1);
    await publish(relay, "old", {});
    await growOld("5", "old", 120_000);
    expect(subscribed(await first("old", { maxAge: 60_000 })).messages).to.have.length(0);
    const wrong = await first("young", { maxAge: null });
    expect(codeOf(wrong)).to.equal("bad-request");
    expect(wrong).to.have.nested.property("error.message").that.includes("replay.maxAge");
  });

  it("is judged by the clock of Redis, whatever that of the relay says", async () => {
    const log = new RedisLog({ target: redis.url, relay: "clock", onError: () => undefined });
    stage.closeLater(() => log.close());
    const client = new Redis(redis.url);
    stage.closeLater(() => client.disconnect());
    await new Promise<void>((resolve) => {
      void log.start({ message() {}, garbage() {}, lost() {}, restored() {}, renewed() {} });
      log.commands.once("ready", () => resolve());
    });
    await log.read("5", "news");
    const [seconds = 0, micros = 0] = await client.time();
    const time = seconds * 1000 + micros / 1000;
    const own = Date.now;
    Date.now = () => own() + 3_600_000;
    try {
      expect(log.now()).to.be.within(time - 60_000, time + 60_000);
    } finally {
      Date.now = own;
    }
  });

  /** Writes the newest message of a topic anew, so long ago. */
  async function growOld(site: string, topic: string, ms: number): Promise<void> {
    const client = new Redis(redis.url);
    stage.closeLater(() => client.disconnect());
    const key = `bellwire:0:{${site}:${topic}}`;
    const [newest] = await client.xrevrange(key, "+", "-", "COUNT", 1);
    const [id, fields] = newest as [string, string[]];
    const [epoch, offset] = id.split("-") as [string, string];
    const old = fields.map((value, i) => (fields[i - 1] === "t" ? String(Number(value) - ms) : value));
    await client.xadd(key, `${epoch}-${Number(offset) + 1}`, ...old);
  }
});

describe("another machine's clock", () => {
  it("is known as exactly as half of the quickest answer of the last minute", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1e9, max: 1e9 }),
        fc.array(fc.record({ there: fc.nat(400), back: fc.nat(400), pause: fc.nat(5000) }), { minLength: 1, maxLength: 40 }),
        (ahead, asked) => {
          const clock = new RemoteClock();
          let own = 0;
          const recent: { took: number; at: number }[] = [];
          for (const { there, back, pause } of asked) {
            own += pause;
            clock.heard(own + there + ahead, own, own + there + back);
            own += there + back;
            recent.push({ took: there + back, at: own });
            const quickest = Math.min(...recent.filter(({ at }) => own - at < 60_000).map(({ took }) => took));
            // One that was quick before that may still count; it is never worse than the latest.
            expect(Math.abs((clock.at(own) as number) - own - ahead)).to.be.at.most(Math.max(quickest, there + back) / 2);
          }
        },
      ),
    );
  });

  it("is unknown before it was heard, and follows one that was set", () => {
    const clock = new RemoteClock();
    expect(clock.at(0)).to.equal(undefined);
    clock.heard(1000, 0, 2);
    expect(clock.at(100)).to.equal(1099);
    clock.heard(500_000, 61_000, 61_100);
    expect(clock.at(61_100)).to.equal(500_050);
  });
});

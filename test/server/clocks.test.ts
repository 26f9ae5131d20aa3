import { expect } from "chai";
import { createEmitter, type Emitter } from "@bellwire/emitter";
import type { SubscribeResult, WireError } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import { Clocks } from "../../server/src/auth/clocks.js";
import { CautiousClock } from "../../server/src/pacing/remote-clock.js";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { refusal } from "../support/socket.js";
import { connectToken, subscribeToken } from "../support/tokens.js";
import { API_KEY, APP_KEY, listening } from "./controlled.js";
import { codeOf, eventually, Stage } from "./stage.js";

const T = 1_760_000_000;

describe("the clocks of backends", () => {
  function watched(): { clocks: Clocks; told: string[]; at: (seconds: number) => void } {
    let now = T;
    const told: string[] = [];
    const clocks = new Clocks({ now: () => now, onDiffering: (message) => told.push(message) });
    return { clocks, told, at: (seconds) => (now = seconds) };
  }

  it("are taken to be right while nothing comes from the future", () => {
    const { clocks, told } = watched();
    for (const iat of [T, T - 1, T - 59, T - 0.25]) expect(clocks.issued("acme", iat)).to.equal(iat);
    expect(clocks.issued("acme", T + 0.01)).to.be.within(T - 0.02, T);
    expect(told).to.deep.equal([]);
  });

  it("are known by what a token was ahead, which is taken off those that follow", () => {
    const { clocks, told, at } = watched();
    expect(clocks.issued("acme", T + 19.9), "further ahead than was known: perhaps further still").to.be.closeTo(T - 40.1, 0.001);
    expect(clocks.issued("acme", T + 19.8), "no earlier than it could have been").to.be.within(T - 2.5, T);
    at(T + 100);
    expect(clocks.issued("acme", T + 100), "twenty seconds old").to.be.within(T + 77, T + 80.1);
    expect(clocks.issued("beta", T + 100), "another site's").to.equal(T + 100);
    expect(told).to.deep.equal([
      "site acme: a token was issued 20 s in the future: the backend's clock is ahead, or the relay's behind; set them by NTP",
    ]);
    at(T + 3 * 24 * 3600);
    clocks.issued("acme", T + 3 * 24 * 3600 - 1);
    at(T + 5 * 24 * 3600);
    expect(clocks.issued("acme", T + 5 * 24 * 3600), "set right long ago").to.equal(T + 5 * 24 * 3600);
  });

  it("are not judged by what no relay would take", () => {
    const { clocks, told } = watched();
    clocks.issued("acme", T * 1000);
    expect(clocks.issued("acme", T)).to.equal(T);
    expect(told).to.have.length(1);
  });

  it("are told of once where they are behind, and not for one old token", () => {
    const { clocks, told } = watched();
    for (const age of [70, 70, 1, 66, 65, 66, 65.4]) clocks.issued("acme", T - age);
    expect(told).to.deep.equal([]);
    for (let i = 0; i < 20; i++) clocks.issued("acme", T - 65);
    expect(told).to.have.length(1);
    expect(told[0]).to.match(
      /^site acme: the last 5 tokens were issued 65 s ago or earlier: if they were fresh, the backend's clock is behind/,
    );
  });

  it("take a bounded room, whatever sites there are", () => {
    const { clocks } = watched();
    for (let i = 0; i < 30_000; i++) clocks.issued(`s${i}`, T + 20);
    expect(clocks.issued("s0", T), "forgotten").to.equal(T);
    expect(clocks.issued("s29999", T)).to.be.below(T - 19);
  });

  it("and the store's is read from its answers, and taken for the own where it may be", () => {
    const clock = new CautiousClock();
    clock.heard(1000, 995, 1005);
    expect(clock.offset).to.equal(0);
    clock.heard(21_000, 995, 1005);
    expect(clock.offset).to.equal(19_995);
    clock.heard(21_100, 1099, 1101);
    expect(clock.offset, "nearer, as the answer was quicker").to.equal(19_999);
    clock.heard(1200, 1195, 1205);
    expect(clock.offset, "set right").to.equal(0);
  });
});

for (const onRedis of [true, false]) {
  describe(`a backend whose clock is 20 s ahead, ${onRedis ? "with relays on Redis" : "with a relay in memory"}`, () => {
    const stage = Stage.forEachTest();
    let redis: TestRedis | undefined;
    let emitter: Emitter;
    let lines: string[];
    let relay: TestRelay;
    /** One that has seen nothing of the backend, where there are several. */
    let other: TestRelay;
    const moment = (): number => Date.now() / 1000;
    const token = (claims: object = {}): string => connectToken(APP_KEY, { iat: moment() + 20, exp: moment() + 600, ...claims });

    before(async function () {
      if (!onRedis) return;
      requires("redis-server", this);
      redis = await TestRedis.start();
    });
    after(() => redis?.stop());
    beforeEach(async () => {
      await redis?.forget();
      lines = [];
      const env = { APP_KEY, REALTIME_API_KEY: API_KEY, ...(redis === undefined ? {} : { REDIS_URL: redis.url }) };
      relay = await stage.relay({ env, onLog: (line) => lines.push(line) });
      other = redis === undefined ? relay : await stage.relay({ env });
      emitter = createEmitter(redis === undefined ? { url: relay.httpUrl, apiKey: API_KEY } : { redis: redis.url });
      stage.closeLater(() => emitter.close());
      await listening(redis, redis === undefined ? 0 : 2);
    });

    it("has its tokens, tickets and connections end with a revocation, and signs in again soon after", async () => {
      const old = token();
      const unused = token();
      const client = await stage.connect(relay, { auth: { v: 1, token: old } });
      const { ticket } = await client.hello;
      const bye = new Promise<{ code: string }>((resolve) => void client.socket.once("bye", resolve));
      await emitter.site("5").user("ann").revoke();
      expect((await bye).code).to.equal("revoked");
      const revoked = moment();
      for (const each of [relay, other]) {
        for (const auth of [{ ticket }, { token: old }, { token: unused }, { ticket, token: old }]) {
          expect((await refusal(stage.client(each, { auth: { v: 1, ...auth } }))).code, Object.keys(auth).join()).to.equal("revoked");
        }
      }
      // As a client does: each attempt with a token of its own.
      for (const each of [other, relay]) {
        for (let admitted = false; !admitted;) {
          const fresh = stage.client(each, { auth: { v: 1, token: token() } });
          admitted = await fresh.hello.then(
            () => true,
            async () => {
              const { code, after = 0 } = (await refusal(fresh)) as WireError;
              expect(code).to.equal("revoked");
              expect(after, "when to come again").to.be.within(1, 2500);
              return new Promise<boolean>((resolve) => void setTimeout(resolve, 50, false));
            },
          );
          expect(moment() - revoked).to.be.below(10);
        }
      }
      await eventually(() => lines.some((line) => /site 5: a token was issued \d+ s in the future/.test(line)), "the log tells of it");
    }).timeout(20_000);

    it("has its subscribe tokens end with a revocation", async () => {
      const old = subscribeToken(APP_KEY, { iat: moment() + 20, exp: moment() + 600, topic: "T" });
      const client = await stage.connect(relay, { auth: { v: 1, token: token() } });
      const ask = async (id: string): Promise<SubscribeResult | undefined> =>
        (await client.emit<{ results: SubscribeResult[] }>("subscribe", [{ id, topic: "T", token: old }])).results[0];
      expect(codeOf(await ask("1"))).to.equal("accepted");
      const ended = new Promise<{ error: { code: string } }>((resolve) => void client.socket.once("unsubscribed", resolve));
      await emitter.site("5").user("ann").revoke({ topic: "T" });
      expect((await ended).error.code).to.equal("revoked");
      expect(codeOf(await ask("2"))).to.equal("revoked");
    });

    it("leaves a backend with a true clock alone: whoever signs in right after a revocation is admitted", async () => {
      await stage.connect(relay, { auth: { v: 1, token: connectToken(APP_KEY, { iat: moment() }) } });
      await emitter.site("5").user("ann").revoke();
      await new Promise((resolve) => setTimeout(resolve, 2)); // revocations are dated to the millisecond
      await stage.connect(relay, { auth: { v: 1, token: connectToken(APP_KEY, { iat: moment() }) } });
    });
  });
}

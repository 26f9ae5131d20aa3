import { expect } from "chai";
import { createLogger } from "@bellwire/server";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { eventually, request, Stage } from "./stage.js";

describe("lines of the log that strangers bring about", () => {
  const stage = Stage.forEachTest();

  it("leave room for what the operator has to know: 110 pages of other origins, and then Redis dies", async function () {
    this.timeout(30_000);
    requires("redis-server", this);
    const redis = await TestRedis.start();
    stage.closeLater(() => redis.stop());
    const lines: string[] = [];
    const relay = await stage.relay({ env: { REDIS_URL: redis.url }, onLog: (line) => lines.push(line) });
    for (let i = 0; i < 110; i++) {
      const origin = `https://page-${i}.example`;
      const { status } = await request(`${relay.httpUrl}/socket.io/?EIO=4&transport=polling`, { headers: { origin } });
      expect(status).to.equal(403);
    }
    const refused = lines.filter((line) => line.includes("Refused a page"));
    expect(refused).to.have.length(21);
    expect(refused.at(-1)).to.contain("no more such lines");
    await redis.stop();
    await eventually(() => lines.some((line) => line.includes("Redis (")), "Redis is said to be gone", 20_000);
  });

  it("are counted by kind, each for a minute", () => {
    const real = Date.now;
    stage.closeLater(() => (Date.now = real));
    let now = 1_000_000;
    Date.now = () => now;
    const lines: string[] = [];
    const logger = createLogger({ sentences: true, write: (line) => lines.push(line) });
    const count = (part: string): number => lines.filter((line) => line.includes(part)).length;
    for (let i = 0; i < 300; i++) {
      logger.originRefused(`https://${i}.example`, []);
      logger.failure("http", new Error(`broken ${i}`));
      logger.redisTrouble(new Error(`gone ${i}`), "log");
    }
    expect([count("Refused a page"), count("http: "), count("Redis (log)")]).to.deep.equal([21, 101, 101]);
    logger.failure("control", new Error("something else"));
    logger.warn("Read this");
    expect([count("control: "), count("Read this")]).to.deep.equal([1, 1]);
    now += 60_000;
    logger.originRefused("https://late.example", []);
    expect(count("late.example")).to.equal(1);
  });
});

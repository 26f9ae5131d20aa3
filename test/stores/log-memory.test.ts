import { mock } from "node:test";
import { expect } from "chai";
import { MemoryLog } from "../../server/src/stores/memory/log.js";

const MINUTE = 60_000;

describe("a log in memory", () => {
  afterEach(() => mock.timers.reset());

  it("forgets each id five minutes after it was given last, whatever came between", async () => {
    mock.timers.enable({ apis: ["setInterval", "Date"] });
    const log = new MemoryLog();
    const append = (id: string): Promise<unknown> => log.append({ site: "5", topic: "T", data: "{}", id, idempotent: true, retry: false });
    mock.timers.tick(MINUTE / 2);
    await append("a");
    mock.timers.tick(1000);
    await append("b");
    for (let second = 0; second < 300; second++) mock.timers.tick(1000);
    // Both have expired, and the next sweep is half a minute away.
    await append("a");
    mock.timers.tick(MINUTE / 2);
    expect(log.remembered, '"b" is gone').to.equal(1);
    mock.timers.tick(5 * MINUTE);
    expect(log.remembered).to.equal(0);
    await log.close();
  });
});

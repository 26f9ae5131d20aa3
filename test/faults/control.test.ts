import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { requires } from "../house/requires.js";
import { TYPESCRIPT } from "../support/typescript.js";
import { channelsKilled } from "./faults/channels-killed.js";
import type { Fault } from "./faults/fault.js";
import { lineCut } from "./faults/line-cut.js";
import { openWorld, type OpenOptions } from "./open-world.js";
import { chooseSeed, Random } from "./random.js";
import { playRound } from "./round.js";

const RELAY = fileURLToPath(new URL("./relay-without-recovery.ts", import.meta.url));

/** The checker proves itself: where recovery is switched off it must find that messages were missed, and nothing else. */
describe("the checker of the faults finds messages missed", function () {
  this.timeout(90_000);
  const seed = chooseSeed();

  before(function () {
    requires("redis-server", this);
  });

  async function missed(lane: readonly Fault[], options: Partial<OpenOptions>): Promise<number> {
    const world = await openWorld({ faults: lane, random: new Random(seed), ...options });
    try {
      const { violations } = await playRound(world, { lanes: [lane], perSecond: 40, untilViolation: true });
      const isMissed = (violation: string): boolean => /^(silent|never|late|epoch):/.test(violation);
      const others = violations.filter((violation) => !isMissed(violation));
      expect(others.slice(0, 10).join("\n"), `seed ${seed}`).to.equal("");
      return violations.filter(isMissed).length;
    } finally {
      await world.close();
    }
  }

  it("by clients that come back as if they had never been there", async () => {
    expect(await missed([{ ...lineCut, short: [1000, 1000] }], { recovery: false }), `seed ${seed}`).to.be.greaterThan(0);
  });

  it("by relays that never look into the log", async () => {
    const lane = [channelsKilled, channelsKilled, channelsKilled];
    const program = [...TYPESCRIPT, RELAY];
    expect(await missed(lane, { program }), `seed ${seed}`).to.be.greaterThan(0);
  });
});

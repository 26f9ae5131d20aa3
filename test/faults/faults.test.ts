import { expect } from "chai";
import { requires } from "../house/requires.js";
import { playAlone } from "./alone.js";
import { FAULTS } from "./faults/index.js";
import type { Fault } from "./faults/fault.js";
import { Pool } from "./pool.js";
import { chooseSeed } from "./random.js";
import type { RoundReport } from "./round.js";

// The rounds mostly wait, so several play at once; each `it` waits for its own.
const AT_ONCE = 6;
const seed = chooseSeed();

describe("a subscriber misses nothing without being told", function () {
  this.timeout(240_000);
  const rounds = new Map<Fault, Promise<RoundReport>>();

  before(function () {
    requires("redis-server", this);
    requires("redis-sentinel", this);
    const haproxy = requires("haproxy", this);
    console.log(
      `      the faults' seed is ${seed}; again: FAULTS_SEED=${seed}, or one: npm run faults -- --alone --seed ${seed} --only "<kind>"`,
    );
    const pool = new Pool(AT_ONCE);
    // Those that take longest first, so that the end does not wait for one.
    const queue = [...FAULTS].sort((a, b) => Number(b.lasting ?? false) - Number(a.lasting ?? false));
    for (const fault of queue) {
      const round = pool.run(() => playAlone(fault, { seed, haproxy }));
      round.catch(() => undefined); // its own `it` reports it
      rounds.set(fault, round);
    }
  });
  after(() => Promise.allSettled(rounds.values()));

  for (const fault of FAULTS) {
    it(`when ${fault.when} (${fault.kind})`, async () => {
      const { violations, deliveries } = (await rounds.get(fault)) as RoundReport;
      expect(violations.slice(0, 20).join("\n"), `${violations.length} violations; FAULTS_SEED=${seed}`).to.equal("");
      expect(deliveries, "what was heard").to.be.greaterThan(100);
    });
  }
});

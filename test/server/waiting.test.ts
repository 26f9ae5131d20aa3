import { expect } from "chai";
import { Departures } from "../../server/src/pacing/departures.js";
import { Schedule } from "../../server/src/pacing/schedule.js";
import { TestClock } from "../support/clock.js";

describe("a schedule", () => {
  it("calls back within a quarter of a second after the moment, and never before it", () => {
    const clock = new TestClock();
    const schedule = new Schedule(clock);
    const called: [due: number, at: number][] = [];
    for (const ms of [1, 249, 250, 251, 1000, 1600, 2200]) {
      const due = clock.now() + ms;
      schedule.at(due / 1000, () => called.push([due, clock.now()]));
    }
    clock.pass(3000);
    expect(called).to.have.length(7);
    for (const [due, at] of called) expect(at - due).to.be.within(0, 250);
  });

  it("calls at once what has passed, forgets what it is told to, and stops", () => {
    const clock = new TestClock();
    const schedule = new Schedule(clock);
    const called: string[] = [];
    const at = (seconds: number, name: string): (() => void) => schedule.at(clock.now() / 1000 + seconds, () => called.push(name));
    at(-100, "passed");
    at(1, "forgotten")();
    at(1, "kept");
    clock.pass(250);
    expect(called).to.deep.equal(["passed"]);
    clock.pass(1250);
    at(1, "stopped");
    schedule.stop();
    clock.pass(5000);
    expect(called).to.deep.equal(["passed", "kept"]);
  });

  it("finds what is due where the clock was set forth by days, and keeps to it where it was set back", () => {
    const clock = new TestClock();
    const schedule = new Schedule(clock);
    const called: number[] = [];
    for (const hours of [1, 30, 100]) schedule.at(clock.now() / 1000 + hours * 3600, () => called.push(hours));
    clock.set(48 * 3_600_000);
    clock.pass(250);
    expect(called).to.deep.equal([1, 30]);
    clock.set(-48 * 3_600_000);
    clock.pass(1000);
    const soon = clock.now() / 1000 + 1;
    schedule.at(soon, () => called.push(0));
    clock.pass(1500);
    expect(called).to.deep.equal([1, 30, 0]);
  });
});

describe("departures", () => {
  it("are for good after the grace, each after its own, but of those who are back", () => {
    const clock = new TestClock();
    const gone: [string, number][] = [];
    const departures = new Departures<string>(100, (who) => gone.push([who, clock.elapsed()]), clock);
    departures.leave("ann");
    clock.pass(60);
    for (const who of ["bob", "eve"]) departures.leave(who);
    expect([departures.back("eve"), departures.back("eve"), departures.has("bob")]).to.deep.equal([true, false, true]);
    clock.pass(39);
    expect(gone).to.deep.equal([]);
    clock.pass(61);
    expect(gone).to.deep.equal([
      ["ann", 100],
      ["bob", 160],
    ]);
    departures.leave("ann");
    departures.stop();
    clock.pass(1000);
    expect(gone).to.have.length(2);
  });
});

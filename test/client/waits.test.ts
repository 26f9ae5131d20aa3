import { mock } from "node:test";
import { expect } from "chai";
import { createBackoff } from "../../client/src/connection/backoff.js";
import { createClockJump } from "../../client/src/connection/clock-jump.js";
import { Schedule } from "../../client/src/connection/schedule.js";
import { ClientError } from "../../client/src/errors.js";
import { ResyncTimer } from "../../client/src/subscriptions/resync-timer.js";
import { withDeadline } from "../../client/src/tokens/deadline.js";

/** Time stands still in each test, but for what it ticks. */
function useClock(): void {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
  afterEach(() => mock.timers.reset());
}

describe("the backoff", () => {
  it("waits at most 1, 2, 4, 8, 16, then 30 seconds", () => {
    const backoff = createBackoff({ random: () => 1 });
    expect([0, 1, 2, 3, 4, 5, 6, 1000].map((attempt) => backoff(attempt))).to.deep.equal([
      1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
    ]);
  });

  it("has full jitter at every step, the last included", () => {
    for (const random of [0, 0.25, 0.999]) {
      const backoff = createBackoff({ random: () => random });
      for (const [attempt, bound] of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].entries())
        expect(backoff(attempt)).to.equal(random * bound);
    }
    const many = Array.from({ length: 2000 }, () => createBackoff()(100));
    expect(Math.min(...many)).to.be.within(0, 3000);
    expect(Math.max(...many)).to.be.within(27_000, 30_000);
  });

  it("waits first for as long as the relay asked, but never for ever", () => {
    const backoff = createBackoff({ random: () => 0.5 });
    expect(backoff(0, 5000)).to.equal(5500);
    expect(backoff(0, 1e12)).to.equal(600_500);
  });
});

describe("the schedule of attempts", () => {
  useClock();
  const later = new ClientError({ code: "unavailable", message: "", after: 0 });

  it("starts from the shortest wait only after a connection that held", () => {
    const asked: number[] = [];
    const schedule = new Schedule(
      (attempt) => asked.push(attempt) && 60_000,
      Math.random,
      () => {},
    );
    schedule.later(later);
    schedule.later(later);
    schedule.up();
    schedule.down();
    schedule.later(later);
    schedule.reset();
    schedule.later(later);
    schedule.cancel();
    expect(asked).to.deep.equal([0, 1, 2, 0]);
  });

  const counted = (random = 0): { schedule: Schedule; runs: () => number } => {
    let runs = 0;
    const schedule = new Schedule(
      () => 60_000,
      () => random,
      () => runs++,
    );
    return { schedule, runs: () => runs };
  };

  it("runs once, hurried or not", () => {
    const { schedule, runs } = counted(0.5);
    schedule.later(later);
    schedule.hurry();
    schedule.hurry();
    mock.timers.tick(124);
    expect(runs()).to.equal(0);
    mock.timers.tick(1);
    expect(runs()).to.equal(1);
    mock.timers.tick(1_000_000);
    expect(runs()).to.equal(1);
  });

  it("does not hurry past what the relay asked for", () => {
    const { schedule, runs } = counted();
    schedule.later(new ClientError({ code: "limit", message: "", after: 50_000 }));
    schedule.hurry();
    mock.timers.tick(49_999);
    expect(runs()).to.equal(0);
    mock.timers.tick(1);
    expect(runs()).to.equal(1);
  });

  it("begins anew what may hang, but not before it had a second, however often the page wakes", () => {
    const { schedule, runs } = counted();
    const begun = Date.now();
    for (let i = 0; i < 9; i++) {
      mock.timers.tick(100);
      schedule.again(begun);
    }
    expect(runs()).to.equal(0);
    mock.timers.tick(100);
    expect(runs()).to.equal(1);
    mock.timers.tick(60_000);
    schedule.again(begun);
    mock.timers.tick(0);
    expect(runs()).to.equal(2);
  });

  it("comes back seldom from off, and ever more so, unless something happens; that not at once either", () => {
    const { schedule, runs } = counted();
    const waits = Array.from({ length: 7 }, (_, i) => {
      const begin = Date.now();
      schedule.seldom();
      while (runs() === i) mock.timers.tick(1000);
      return Date.now() - begin;
    });
    expect(waits).to.deep.equal([15, 30, 60, 120, 240, 240, 240].map((seconds) => seconds * 1000));
    schedule.reset();
    schedule.seldom();
    schedule.hurry();
    mock.timers.tick(999);
    expect(runs()).to.equal(7);
    mock.timers.tick(1);
    expect(runs()).to.equal(8);
  });

  it("comes back from off by itself never where nobody was signed in, and with a wake at most every 30 s", () => {
    const { schedule, runs } = counted();
    schedule.later(later);
    schedule.idle();
    mock.timers.tick(1_000_000);
    expect(runs()).to.equal(0);
    schedule.hurry();
    mock.timers.tick(0);
    expect(runs()).to.equal(1);
    schedule.idle();
    schedule.hurry();
    mock.timers.tick(29_999);
    expect(runs()).to.equal(1);
    mock.timers.tick(1);
    expect(runs()).to.equal(2);
  });

  it("begins nothing anew once the attempt came to something", () => {
    const { schedule, runs } = counted();
    schedule.again(Date.now());
    schedule.up();
    mock.timers.tick(60_000);
    expect(runs()).to.equal(0);
  });
});

describe("the clock jump", () => {
  it("is a gap of 30 s beyond the interval, told once", () => {
    const jumped = createClockJump(5000, 0);
    expect([5000, 10_000, 44_000, 80_000, 85_000].map(jumped)).to.deep.equal([false, false, false, true, false]);
  });
});

describe("the resync timer", () => {
  useClock();

  it("fires at once without a spread, and in time with one", () => {
    let fired = 0;
    const timer = new ResyncTimer(
      () => fired++,
      () => 0.5,
    );
    timer.start(0);
    expect(fired).to.equal(1);
    timer.start(100_000);
    timer.start(20);
    timer.start(200_000);
    mock.timers.tick(9);
    expect(fired).to.equal(1);
    mock.timers.tick(1);
    expect(fired).to.equal(2);
    timer.start(2);
    timer.stop();
    mock.timers.tick(1_000_000);
    expect(fired).to.equal(2);
  });
});

describe("the deadline of foreign code", () => {
  useClock();
  const failure = (run: (signal: AbortSignal) => unknown, signal?: AbortSignal): Promise<unknown> =>
    withDeadline("The getter", run, { signal }).then(
      () => "none",
      (error: unknown) => error,
    );

  it("passes on what comes in time", async () => {
    expect(await withDeadline("The getter", () => 5)).to.equal(5);
    const thrown = new Error("x");
    expect(await failure(() => Promise.reject(thrown))).to.equal(thrown);
    expect(
      await failure(() => {
        throw thrown;
      }),
    ).to.equal(thrown);
  });

  it("gives up on what hangs after 10 s, and tells it", async () => {
    let told = false;
    const failed = failure((signal) => new Promise(() => signal.addEventListener("abort", () => (told = true))));
    mock.timers.tick(9999);
    expect(told).to.equal(false);
    mock.timers.tick(1);
    expect(await failed).to.include({ code: "timeout", message: "The getter gave no answer within 10 s" });
    expect(told).to.equal(true);
  });

  it("gives up at once where nobody waits any longer", async () => {
    const control = new AbortController();
    const failed = failure(() => new Promise(() => {}), control.signal);
    control.abort();
    expect(await failed).to.include({ code: "timeout", message: "The getter is not waited for any longer" });
    expect(await failure(() => 5, control.signal)).to.include({ code: "timeout" });
  });
});

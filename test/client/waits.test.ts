import { expect } from "chai";
import { createBackoff } from "../../client/src/connection/backoff.js";
import { createClockJump } from "../../client/src/connection/clock-jump.js";
import { Schedule } from "../../client/src/connection/schedule.js";
import { ClientError } from "../../client/src/errors.js";
import { ResyncTimer } from "../../client/src/subscriptions/resync-timer.js";
import { withDeadline } from "../../client/src/tokens/deadline.js";

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

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

  it("runs once, hurried or not", async () => {
    let runs = 0;
    const schedule = new Schedule(
      () => 60_000,
      () => 0,
      () => runs++,
    );
    schedule.later(later);
    schedule.hurry();
    schedule.hurry();
    await pause(15);
    expect(runs).to.equal(1);
  });

  it("does not hurry past what the relay asked for", async () => {
    let runs = 0;
    const schedule = new Schedule(
      () => 60_000,
      () => 0,
      () => runs++,
    );
    schedule.later(new ClientError({ code: "limit", message: "", after: 50_000 }));
    schedule.hurry();
    await pause(15);
    schedule.cancel();
    expect(runs).to.equal(0);
  });
});

describe("the clock jump", () => {
  it("is a gap of 30 s beyond the interval, told once", () => {
    const jumped = createClockJump(5000, 0);
    expect([5000, 10_000, 44_000, 80_000, 85_000].map(jumped)).to.deep.equal([false, false, false, true, false]);
  });
});

describe("the resync timer", () => {
  it("fires at once without a spread, and in time with one", async () => {
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
    await pause(30);
    expect(fired).to.equal(2);
    timer.start(2);
    timer.stop();
    await pause(10);
    expect(fired).to.equal(2);
  });
});

describe("the deadline of foreign code", () => {
  const failure = (run: () => unknown): Promise<unknown> =>
    withDeadline("The getter", run, 10).then(
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

  it("gives up on what hangs", async () => {
    expect(await failure(() => new Promise(() => {}))).to.include({ code: "timeout", message: "The getter gave no answer within 0.01 s" });
  });
});

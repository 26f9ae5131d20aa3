import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import { connectionNotice, type Notice, type NoticeBody } from "../../server/src/notices/notice.js";
import { MOST_WAITING, Outbox, type OutboxTiming } from "../../server/src/notices/outbox.js";
import { eventually } from "./stage.js";

const notice = (n: number): Notice =>
  connectionNotice("connected", { site: "5", user: "ann", session: "", client: "p", connection: `c${n}`, times: 1 });
const nameOf = ({ connection }: Notice): string => connection;

describe("the outbox of notices", () => {
  const opened: Outbox[] = [];
  afterEach(() => {
    for (const outbox of opened.splice(0)) outbox.stop();
  });

  function open(deliver: (body: NoticeBody) => Promise<void>, timing: Partial<OutboxTiming> = {}): { outbox: Outbox; settled: string[] } {
    const settled: string[] = [];
    const outbox = new Outbox({
      deliver,
      onSettled: (notices) => settled.push(...notices.map(nameOf)),
      onTrouble: () => undefined,
      timing: { gather: 5, retry: 5, patience: 20, ...timing },
    });
    opened.push(outbox);
    return { outbox, settled };
  }

  it("gathers notices, at most a hundred in one body, in their order", async () => {
    const bodies: NoticeBody[] = [];
    const { outbox, settled } = open(async (body) => void bodies.push(body));
    for (let i = 0; i < 250; i++) outbox.add(notice(i));
    outbox.add(notice(3));
    await eventually(() => outbox.waiting === 0, "all are told");
    expect(bodies.map(({ v, events }) => [v, events.length])).to.deep.equal([
      [1, 100],
      [1, 100],
      [1, 50],
    ]);
    const names = Array.from({ length: 250 }, (_, i) => `c${i}`);
    expect(bodies.flatMap(({ events }) => events.map(nameOf))).to.deep.equal(names);
    expect([settled, outbox.told, outbox.dropped]).to.deep.equal([names, 250, 0]);
  });

  it("tries the same body until it is taken, one at a time", async () => {
    let attempts = 0;
    let under = 0;
    const taken: string[] = [];
    const { outbox } = open(async ({ events }) => {
      expect(++under).to.equal(1);
      await pause(3);
      under--;
      if (++attempts < 4) throw new Error("503");
      taken.push(...events.map(nameOf));
    });
    outbox.add(notice(1));
    await eventually(() => attempts === 1, "the first attempt");
    outbox.add(notice(2));
    await eventually(() => outbox.waiting === 0, "both are told");
    expect(taken).to.deep.equal(["c1", "c2"]);
    expect(outbox.dropped).to.equal(0);
  });

  it("gives up what nobody takes, and goes on with what comes after", async () => {
    let down = true;
    const taken: string[] = [];
    const { outbox, settled } = open(
      async ({ events }) => {
        if (down) throw new Error("410");
        taken.push(...events.map(nameOf));
      },
      { giveUp: 40 },
    );
    outbox.add(notice(1));
    await eventually(() => outbox.dropped === 1, "it is given up");
    down = false;
    outbox.add(notice(2));
    await eventually(() => outbox.told === 1, "the next is told");
    expect([taken, settled]).to.deep.equal([["c2"], ["c1", "c2"]]);
  });

  it("is bounded, and counts what it drops", async () => {
    const { outbox } = open(() => new Promise(() => undefined));
    const begun = performance.now();
    for (let i = 0; i < MOST_WAITING + 500; i++) outbox.add(notice(i));
    expect([outbox.waiting, outbox.dropped]).to.deep.equal([MOST_WAITING, 500]);
    expect(performance.now() - begun).to.be.below(2000);
  });

  it("is not held up for ever by a backend that never answers", async () => {
    let attempts = 0;
    const { outbox } = open(() => (++attempts === 1 ? new Promise(() => undefined) : Promise.resolve()), { attempt: 20 });
    outbox.add(notice(1));
    await eventually(() => outbox.told === 1, "the second attempt is taken");
  });

  it("tells what waits when it closes, and does not wait for a backend that is down", async () => {
    const taken: string[] = [];
    const { outbox } = open(async ({ events }) => void taken.push(...events.map(nameOf)), { gather: 60_000 });
    for (let i = 0; i < 150; i++) outbox.add(notice(i));
    await outbox.close(2000);
    expect(taken).to.have.length(150);
    const down = open(() => new Promise(() => undefined), { gather: 60_000 }).outbox;
    down.add(notice(1));
    const begun = performance.now();
    await down.close(50);
    expect(performance.now() - begun).to.be.below(1000);
  });
});

import { expect } from "chai";
import fc from "fast-check";
import { FairQueue } from "../../server/src/pacing/fair-queue.js";
import { Rates } from "../../server/src/pacing/rates.js";

interface Item {
  readonly lane: readonly [string, string];
  readonly n: number;
}

const lane = fc.tuple(fc.constantFrom("a", "b", "c"), fc.constantFrom("x", "y", "z"));

describe("a fair queue", () => {
  const many = (queue: FairQueue<Item>, lane: Item["lane"], count: number): Item[] =>
    Array.from({ length: count }, (_, n) => {
      const item = { lane, n };
      queue.add(lane, item);
      return item;
    });
  const drain = (queue: FairQueue<Item>): Item[] => {
    const out: Item[] = [];
    for (let item = queue.next(); item !== undefined; item = queue.next()) {
      queue.ended(item);
      out.push(item);
    }
    return out;
  };

  it("takes sites by turns, then connections, each in its order", () => {
    const queue = new FairQueue<Item>();
    many(queue, ["a", "x"], 4);
    many(queue, ["a", "y"], 1);
    many(queue, ["b", "z"], 2);
    expect(drain(queue).map(({ lane, n }) => lane.join("") + n)).to.deep.equal(["ax0", "bz0", "ay0", "bz1", "ax1", "ax2", "ax3"]);
  });

  it("gives out all that waits, once, and of one lane in its order, whatever is added and taken back meanwhile", () => {
    const step = fc.oneof(fc.record({ add: lane }), fc.record({ remove: fc.nat(20) }), fc.record({ take: fc.constant(true) }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new FairQueue<Item>();
        const waiting: Item[] = [];
        let n = 0;
        const taken: Item[] = [];
        const take = (): boolean => {
          const item = queue.next();
          if (item === undefined) return false;
          expect(item, "the first of its lane").to.equal(waiting.find((each) => String(each.lane) === String(item.lane)));
          waiting.splice(waiting.indexOf(item), 1);
          queue.ended(item);
          return taken.push(item) > 0;
        };
        for (const each of steps) {
          if ("add" in each) {
            const item = { lane: each.add as Item["lane"], n: n++ };
            expect(queue.add(item.lane, item)).to.equal(undefined);
            waiting.push(item);
          } else if ("remove" in each) {
            const [item] = waiting.splice(each.remove % Math.max(1, waiting.length), 1);
            if (item !== undefined) expect(queue.delete(item)).to.equal(true);
          } else take();
          expect(queue.size).to.equal(waiting.length);
        }
        while (take());
        expect(waiting).to.deep.equal([]);
        expect(queue.waiting("a")).to.equal(0);
      }),
    );
  });

  it("lets who has most waiting give way, and nobody with less", () => {
    fc.assert(
      fc.property(fc.array(lane, { maxLength: 80 }), (lanes) => {
        const queue = new FairQueue<Item>();
        const count = (site: string): number => queue.waiting(site);
        lanes.forEach((each, n) => {
          const before = new Map(["a", "b", "c"].map((site) => [site, count(site)]));
          const item = { lane: each as Item["lane"], n };
          const out = queue.add(item.lane, item, [20, 10, 6]);
          if (out === undefined) return;
          const [loser] = out.lane;
          if (queue.waiting(loser) === before.get(loser) && out !== item) expect(loser, "gave way to its own").to.equal(each[0]);
          const room = 20 - [...before.values()].reduce((sum, each) => sum + each, 0);
          if (room === 0 && loser !== each[0]) expect(before.get(loser)).to.equal(Math.max(...before.values()));
        });
        expect(queue.size).to.be.at.most(20);
        for (const site of ["a", "b", "c"]) expect(count(site)).to.be.at.most(10);
      }),
    );
    const queue = new FairQueue<Item>();
    const [oldest] = many(queue, ["a", "x"], 9);
    many(queue, ["a", "y"], 1);
    expect(queue.add(["a", "z"], { lane: ["a", "z"], n: 0 }, [100, 10])).to.equal(oldest);
    const late = { lane: ["a", "x"], n: 9 } as const;
    expect(queue.add(late.lane, late, [100, 10])).to.equal(late);
  });

  it("leaves room for others among what is busy", () => {
    const queue = new FairQueue<Item>();
    many(queue, ["a", "x"], 10);
    many(queue, ["a", "y"], 10);
    const taken = Array.from({ length: 20 }, () => queue.next([8, 6, 4])).filter((item) => item !== undefined);
    expect(taken.map(({ lane }) => lane.join(""))).to.deep.equal(["ax", "ay", "ax", "ay", "ax", "ay"]);
    many(queue, ["b", "x"], 10);
    expect([queue.next([8, 6, 4])?.lane[0], queue.next([8, 6, 4])?.lane[0], queue.next([8, 6, 4])]).to.deep.equal(["b", "b", undefined]);
    queue.ended(taken[0] as Item);
    expect(queue.next([8, 6, 4])?.lane[0]).to.equal("a");
  });
});

describe("rates of many", () => {
  it("are kept of those who spent something of late, and give each its own", () => {
    const rates = new Rates();
    for (let i = 0; i < 1000; i++) expect(rates.take(`stranger${i}`, 1, i)).to.equal(0);
    for (let i = 0; i < 10; i++) expect(rates.take("one", 1, 1000)).to.equal(0);
    expect(rates.take("one", 1, 1000)).to.equal(1000);
    expect(rates.take("another", 1, 1000)).to.equal(0);
    rates.take("late", 1, 60_000);
    expect(rates.size).to.equal(1);
  });
});

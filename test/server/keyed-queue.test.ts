import { expect } from "chai";
import { KeyedQueue } from "../../server/src/pacing/keyed-queue.js";

interface Thing {
  readonly site: string;
  readonly n: number;
}

describe("work for each of many things", () => {
  /** Work that ends when it is let go. */
  function open(most: number): { queue: KeyedQueue<Thing>; begun: Thing[]; letGo: () => Promise<void> } {
    const begun: Thing[] = [];
    const ends: (() => void)[] = [];
    const queue = new KeyedQueue<Thing>(
      (thing) => {
        begun.push(thing);
        return new Promise((resolve) => ends.push(resolve));
      },
      most,
      ({ site }) => site,
    );
    const letGo = async (): Promise<void> => {
      ends.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { queue, begun, letGo };
  }
  const things = (site: string, count: number): Thing[] => Array.from({ length: count }, (_, n) => ({ site, n }));

  it("begins by turns of the sites", async () => {
    const { queue, begun, letGo } = open(2);
    for (const thing of things("attacker", 1000)) void queue.add(thing);
    for (const thing of things("victim", 2)) void queue.add(thing);
    for (let i = 0; i < 4; i++) await letGo();
    expect(begun.map(({ site }) => site)).to.deep.equal(["attacker", "attacker", "attacker", "victim", "attacker", "victim"]);
  });

  it("runs once at a time for the same thing, and again where it was asked for meanwhile, once", async () => {
    const { queue, begun, letGo } = open(5);
    const [thing, other] = things("a", 2) as [Thing, Thing];
    const first = queue.add(thing);
    const second = queue.add(thing);
    expect(queue.add(thing)).to.equal(second);
    void queue.add(other);
    expect(begun).to.deep.equal([thing, other]);
    await letGo();
    await first;
    expect(begun).to.deep.equal([thing, other, thing]);
    await letGo();
    await letGo();
    await second;
    expect(begun).to.have.length(3);
  });

  it("is refused where it has not begun when all is over", async () => {
    const { queue, begun, letGo } = open(1);
    const [thing, other] = things("a", 2) as [Thing, Thing];
    const running = queue.add(thing);
    const waiting = queue.add(other).catch((error: Error) => error.message);
    queue.clear();
    expect(await waiting).to.equal("The relay is closed");
    await letGo();
    await running;
    expect(begun).to.deep.equal([thing]);
  });
});

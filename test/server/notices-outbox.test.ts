import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import { connectionNotice, placeNotice, type Notice, type NoticeBody } from "../../server/src/notices/notice.js";
import { MOST_WAITING, Outbox, type OutboxTiming } from "../../server/src/notices/outbox.js";
import { HookBackend } from "./hooks-backend.js";
import { eventually, request, Stage } from "./stage.js";

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

describe("an outbox of many sites", () => {
  const opened: Outbox[] = [];
  afterEach(() => {
    for (const outbox of opened.splice(0)) outbox.stop();
  });

  const topical = (event: "occupied" | "vacated", topic: string, time: number, site = "attacker"): Notice =>
    placeNotice(event, { site, topic, filter: undefined }, `${site}${topic}${event}${time}`, time);
  const shown = ({ event, topic }: Notice): string => `${event} ${topic}`;

  /** An outbox whose bodies are taken one by one. */
  function open(): { outbox: Outbox; bodies: Notice[][]; take: () => void; settled: string[]; dropped: string[] } {
    const bodies: Notice[][] = [];
    const settled: string[] = [];
    const dropped: string[] = [];
    const waiting: (() => void)[] = [];
    const outbox = new Outbox({
      deliver: ({ events }) => {
        bodies.push([...events]);
        return new Promise((resolve) => waiting.push(resolve));
      },
      onSettled: (notices) => settled.push(...notices.map(({ id }) => id)),
      onTrouble: () => undefined,
      onDropped: (site, why) => dropped.push(`${site} ${why}`),
      timing: { gather: 1 },
    });
    opened.push(outbox);
    return { outbox, bodies, take: () => waiting.shift()?.(), settled, dropped };
  }

  it("tells a site with a single notice in the next body, however many another site has waiting", async () => {
    const { outbox, bodies, take } = open();
    for (let i = 0; i < 30_000; i++) outbox.add(topical("occupied", `t${i}`, i));
    await eventually(() => bodies.length === 1, "the first body is on its way");
    outbox.add(connectionNotice("connected", { site: "victim", user: "u", session: "", client: "", connection: "c", times: 1 }));
    outbox.add(topical("occupied", "mine", 1, "victim"));
    take();
    await eventually(() => bodies.length === 2, "the second body is on its way");
    expect(bodies[1]?.filter(({ site }) => site === "victim").map(({ event }) => event)).to.deep.equal(["connected", "occupied"]);
    expect(bodies[1]).to.have.length(100);
  });

  it("tells a site's connections beside thousands of its topics", async () => {
    const { outbox, bodies, take } = open();
    for (let i = 0; i < 1000; i++) outbox.add(topical("occupied", `t${i}`, i));
    await eventually(() => bodies.length === 1, "the first body is on its way");
    outbox.add(connectionNotice("connected", { site: "attacker", user: "u", session: "", client: "", connection: "c", times: 1 }));
    take();
    await eventually(() => bodies.length === 2, "the second body is on its way");
    expect(bodies[1]?.map(({ event }) => event)).to.include("connected");
  });

  it("tells of each topic what is newest, and settles the rest", async () => {
    const { outbox, bodies, take, settled } = open();
    outbox.add(topical("occupied", "sent", 1));
    await eventually(() => bodies.length === 1, "the first body is on its way");
    const changes = ["vacated", "occupied", "vacated"] as const;
    changes.forEach((event, i) => outbox.add(topical(event, "sent", i + 2)));
    outbox.add(topical("occupied", "new", 9));
    outbox.add(topical("vacated", "new", 3));
    expect([outbox.waiting, outbox.coalesced, settled.length]).to.deep.equal([3, 3, 3]);
    take();
    await eventually(() => bodies.length === 2, "the second body is on its way");
    expect(bodies.map((events) => events.map(shown))).to.deep.equal([["occupied sent"], ["vacated sent", "occupied new"]]);
    take();
    await eventually(() => outbox.waiting === 0, "all are told");
    expect(new Set(settled).size).to.equal(6);
  });

  it("takes its room from the site that has most, its oldest first, and says so", () => {
    const { outbox, settled, dropped } = open();
    for (let i = 0; i < MOST_WAITING; i++) outbox.add(topical("occupied", `t${i}`, i));
    for (let i = 0; i < 10; i++) outbox.add(topical("occupied", `v${i}`, i, "victim"));
    outbox.add(topical("occupied", "more", 1));
    expect([outbox.waiting, outbox.dropped]).to.deep.equal([MOST_WAITING, 11]);
    expect(new Set(dropped)).to.deep.equal(new Set(["attacker overflow"]));
    expect(settled).to.deep.equal(Array.from({ length: 11 }, (_, i) => `attackert${i}occupied${i}`));
  });
});

describe("notices of a whole relay beside an attacker", () => {
  const stage = Stage.forEachTest();

  it("reach the backend for the other site while one client churns topics", async function () {
    this.timeout(60_000);
    const told: Notice[] = [];
    const backend = await HookBackend.open(stage, async ({ body }) => {
      await pause(20);
      told.push(...(body as unknown as NoticeBody).events);
      return {};
    });
    const relay = await stage.relay({ file: { hooks: { notices: { url: backend.url } } } });
    const attacker = await stage.connect(relay, { site: "attacker", claims: { grants: [{ topic: "*" }] } });
    let churning = true;
    const churn = async (): Promise<void> => {
      for (let n = 0; churning; n++) {
        const items = Array.from({ length: 900 }, (_, i) => ({ id: `${n}.${i}`, topic: `t${n}.${i}` }));
        await attacker.emit("subscribe", items);
        await attacker.emit(
          "unsubscribe",
          items.map(({ id }) => id),
        );
      }
    };
    const churned = churn();
    await eventually(() => told.length > 1000, "the attacker is at it", 20_000);
    const victim = await stage.connect(relay, { site: "victim", claims: { sub: "v", grants: [{ topic: "*" }] } });
    await victim.subscribe({ id: "1", topic: "mine" });
    const ofVictim = (): string[] => told.filter(({ site }) => site === "victim").map(({ event }) => event);
    await eventually(() => ofVictim().length === 2, "the victim's notices come", 20_000);
    churning = false;
    await churned;
    expect(new Set(ofVictim())).to.deep.equal(new Set(["connected", "occupied"]));
    const metrics = (await request(`${relay.httpUrl}/metrics`)).text;
    expect(metrics)
      .to.match(/bellwire_notices_told_total [1-9]/)
      .and.match(/bellwire_notices_waiting \d/);
  });
});

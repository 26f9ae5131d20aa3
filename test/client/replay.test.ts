import { expect } from "chai";
import { EVERYTHING } from "@bellwire/protocol";
import type { Message } from "@bellwire/client";
import { Registry } from "../../client/src/subscriptions/registry.js";
import { Subscriber, type SubscriberParts } from "../../client/src/subscriptions/subscriber.js";
import { TopicIndex } from "../../client/src/subscriptions/topic-index.js";
import { confirmed } from "./fake-relay.js";
import { heard, useStage } from "./setup.js";

describe("the age of a replay", () => {
  const stage = useStage();
  const HOUR = 3_600_000;
  beforeEach(() => {
    // The relay's clock is a day ahead, which must not matter.
    const ahead = 24 * HOUR;
    stage.relay.hello = { ...stage.relay.hello, time: Date.now() + ahead };
    stage.relay.subscribe = (item) => confirmed(item, { messages: item.replay === false ? [] : [[10, Date.now() + ahead - HOUR, {}]] });
  });

  it("is told, by the relay's clock", async () => {
    const callback = heard();
    await stage.client().subscribe("T", callback).ready;
    expect((callback.all[0] as Message).age).to.be.within(HOUR - 5000, HOUR + 5000);
  });

  it("bounds what is told, also where a relay knows no such bound", async () => {
    const client = stage.client();
    const [young, old, page, all] = [heard(), heard(), heard(), heard()];
    await Promise.all([
      client.subscribe("Young", young, { replay: { maxAge: HOUR / 2 } }).ready,
      client.subscribe("Old", old, { replay: { maxAge: HOUR * 2 } }).ready,
      client.subscribe("Page", page, { replay: "page" }).ready,
      client.subscribe("Both", all).ready,
      client.subscribe("Both", young, { replay: { maxAge: 0 } }).ready,
    ]);
    const asked = new Map(stage.relay.subscribes.flat().map(({ topic, replay }) => [topic, replay]));
    expect([asked.get("Young"), asked.get("Old"), asked.get("Both")]).to.deep.equal([
      { maxAge: HOUR / 2 },
      { maxAge: HOUR * 2 },
      undefined,
    ]);
    expect((asked.get("Page") as { maxAge: number }).maxAge).to.be.within(10_000, performance.now() + 11_000);
    expect([young, old, page, all].map((one) => one.all.length)).to.deep.equal([0, 1, 0, 1]);
  });

  it("that is known to be none is not asked for again", async () => {
    const client = stage.client();
    for (let i = 0; i < 5; i++) await client.subscribe("Page", heard(), { replay: "page" }).ready;
    expect(stage.relay.subscribes.flat()).to.have.length(1);
  });
});

describe("a registry", () => {
  it("keeps nothing of what was ended while its ack was awaited, once the connection is another", () => {
    const topics = new TopicIndex();
    const registry = new Registry({ topics, linger: 0, random: () => 0, onRetired: () => {} });
    const parts: SubscriberParts = { report: () => {}, lost: () => undefined, leave: (one) => registry.leave(one), seat: () => undefined };
    const one = new Subscriber("1", "T", () => {}, {}, parts);
    const wire = registry.join(one, EVERYTHING);
    wire.sent();
    one.unsubscribe();
    registry.settle(wire);
    // The connection is lost, and there is a new one.
    wire.status = "wanted";
    registry.prune();
    expect(registry.all()).to.deep.equal([]);
  });
});

describe("forgetting what was heard", () => {
  it("leaves nothing of it to the next user, and makes those who hear on fetch again", async () => {
    const registry = new Registry({ topics: new TopicIndex(), linger: 1000, random: () => 0, onRetired: () => {} });
    const parts: SubscriberParts = { report: () => {}, lost: () => undefined, leave: (one) => registry.leave(one), seat: () => undefined };
    const subscribe = (all: unknown[]): Subscriber => {
      const one = new Subscriber("1", "T", (event) => all.push(event.resync ? "resync" : event.offset), {}, parts);
      registry.join(one, EVERYTHING);
      return one;
    };
    const [stays, left, next]: unknown[][] = [[], [], []];
    const wire = subscribe(stays as unknown[]).wire;
    const leaving = subscribe(left as unknown[]);
    wire?.acked({ epoch: "e", offset: 1, messages: [[1, 0, {}]] });
    leaving.unsubscribe();
    registry.forgetHeard();
    expect([wire?.last, wire?.since]).to.deep.equal([undefined, null]);
    const nextOne = subscribe(next as unknown[]);
    expect(nextOne.wire?.since).to.equal(undefined);
    nextOne.catchUp();
    wire?.acked({ epoch: "e", offset: 5, messages: [], resync: true });
    expect([stays, left, next]).to.deep.equal([[1, "resync"], [1], []]);
  });
});

import { expect } from "chai";
import type { WireMessage } from "@bellwire/protocol";
import { Heard } from "../../client/src/subscriptions/heard.js";
import { confirmed, type FakeRelay } from "./fake-relay.js";
import { heard, settled, state, until, useStage } from "./setup.js";

const offsets = (all: ReturnType<typeof heard>["all"]): unknown[] =>
  all.map((event) => (event.resync ? "resync" : [event.offset, event.replay]));

/** Makes the relay keep a log of topic T and answer from it as the real one does. */
function keepLog(relay: FakeRelay): { publish(...offsets: number[]): void } {
  const log: WireMessage[] = [];
  relay.subscribe = (item) => {
    const head = log.at(-1)?.[0] ?? 0;
    const { since, replay } = item;
    if (since === null) return confirmed(item, { epoch: "e1", offset: head, resync: true });
    const messages = since === undefined ? (replay === false ? [] : log.slice(-1)) : log.filter(([offset]) => offset > since.offset);
    return confirmed(item, { epoch: "e1", offset: head, messages });
  };
  return {
    publish(...added) {
      const batch = added.map((offset): WireMessage => [offset, 0, {}]);
      log.push(...batch);
      if (relay.sockets.length > 0) relay.messages("T", ...batch);
    },
  };
}

describe("what a page has heard", () => {
  const stage = useStage();

  it("is not told again to who comes after one that left, within the linger or after it", async () => {
    const log = keepLog(stage.relay);
    log.publish(1);
    const client = stage.client();
    for (const wait of [0, 1, 2]) {
      const callback = heard();
      const subscription = client.subscribe("T", callback);
      await subscription.ready;
      await settled(client);
      expect(offsets(callback.all), `round ${wait}`).to.deep.equal(wait === 0 ? [[1, true]] : []);
      subscription.unsubscribe();
      if (wait > 0) await until(() => stage.relay.unsubscribes.length === wait);
    }
  });

  it("is not told again by a callback that unsubscribes and subscribes again, in either order", async () => {
    for (const isNewFirst of [false, true]) {
      const log = keepLog(stage.relay);
      log.publish(1);
      const client = stage.client();
      let calls = 0;
      const subscribe = (): { unsubscribe(): void } =>
        client.subscribe("T", () => {
          calls++;
          const old = subscription;
          if (!isNewFirst) old.unsubscribe();
          subscription = subscribe();
          if (isNewFirst) old.unsubscribe();
        });
      let subscription = subscribe();
      await until(() => calls > 0);
      for (let i = 0; i < 5; i++) await settled(client);
      log.publish(2);
      await until(() => calls > 1);
      for (let i = 0; i < 5; i++) await settled(client);
      expect(calls).to.equal(2);
      client.close();
    }
  });

  it("is continued: what came in between is told in order, and once", async () => {
    const log = keepLog(stage.relay);
    const client = stage.client();
    const first = heard();
    const subscription = client.subscribe("T", first);
    await subscription.ready;
    log.publish(1);
    await first.count(1);
    subscription.unsubscribe();
    await until(() => stage.relay.unsubscribes.length === 1);
    log.publish(2, 3);
    const second = heard();
    await client.subscribe("T", second).ready;
    log.publish(4);
    await second.count(3);
    expect(offsets(second.all)).to.deep.equal([
      [2, true],
      [3, true],
      [4, false],
    ]);
    expect(stage.relay.subscribes[1]?.[0]).to.deep.include({ since: { epoch: "e1", offset: 1 } });
  });

  it("is continued beside others that heard on, which are told nothing twice", async () => {
    const log = keepLog(stage.relay);
    const client = stage.client();
    const [stays, goes, returns] = [heard(), heard(), heard()];
    const going = client.subscribe("T", goes);
    await Promise.all([client.subscribe("T", stays).ready, going.ready]);
    going.unsubscribe();
    log.publish(1, 2);
    await stays.count(2);
    await client.subscribe("T", returns).ready;
    log.publish(3);
    await Promise.all([stays.count(3), returns.count(3)]);
    expect(offsets(returns.all)).to.deep.equal([
      [1, true],
      [2, true],
      [3, false],
    ]);
    expect(offsets(stays.all)).to.have.length(3);
    // The ticket that is there serves for both.
    expect(stage.relay.tokenRequests).to.have.length(1);
  });

  it("ends within a batch where its subscriber ended", async () => {
    const log = keepLog(stage.relay);
    const client = stage.client();
    const second = heard();
    const first = heard();
    const subscription = client.subscribe("T", (event) => {
      first(event);
      subscription.unsubscribe();
      setTimeout(() => client.subscribe("T", second), 0);
    });
    await subscription.ready;
    log.publish(1, 2, 3);
    await second.count(2);
    expect([offsets(first.all), offsets(second.all)]).to.deep.equal([
      [[1, false]],
      [
        [2, true],
        [3, true],
      ],
    ]);
  });

  it("is news to one that comes beside those still there, or that wants more of the past", async () => {
    const log = keepLog(stage.relay);
    log.publish(1);
    const client = stage.client();
    const [without, beside, more] = [heard(), heard(), heard()];
    const subscription = client.subscribe("T", without, { replay: false });
    await subscription.ready;
    await client.subscribe("T", beside).ready;
    await beside.count(1);
    subscription.unsubscribe();
    await client.subscribe("T", more).ready;
    await more.count(1);
    expect([without, beside, more].map(({ all }) => offsets(all))).to.deep.equal([[], [[1, true]], [[1, true]]]);
  });

  it("owes a resync to who comes after one that left before it was told", async () => {
    const log = keepLog(stage.relay);
    const client = stage.client();
    const [left, next] = [heard(), heard()];
    const subscription = client.subscribe("T", left);
    await subscription.ready;
    stage.relay.socket.emit("resync", [{ topic: "T", epoch: "e1", offset: 5 }], { spread: 60_000, cause: "test" });
    await settled(client);
    subscription.unsubscribe();
    await until(() => stage.relay.unsubscribes.length === 1);
    log.publish(6);
    await client.subscribe("T", next).ready;
    await next.count(1);
    expect([offsets(left.all), offsets(next.all)]).to.deep.equal([[], ["resync"]]);
  });

  it("is kept for so many topics, and the latest seats only", () => {
    const memory = new Heard();
    const seat = (offset: number): { position: { epoch: string; offset: number }; from: number } => ({
      position: { epoch: "e", offset },
      from: -Infinity,
    });
    for (let i = 0; i < 3000; i++) memory.free(`topic ${i}`, seat(i));
    expect([memory.take("topic 1999", 0), memory.take("topic 2000", 0)?.position?.offset]).to.deep.equal([undefined, 2000]);
    for (let i = 0; i < 200; i++) memory.free("T", seat(i));
    let count = 0;
    while (memory.take("T", 0) !== undefined) count++;
    expect(count).to.equal(50);
    memory.free("T", { position: null, from: 5 });
    expect([memory.take("T", 4), memory.take("T", 5)]).to.deep.equal([undefined, { position: null, from: 5 }]);
  });
});

describe("a subscriber that comes later", () => {
  const stage = useStage();

  it("gets the last message though the first one wanted none", async () => {
    const log = keepLog(stage.relay);
    log.publish(1);
    const client = stage.client();
    const [first, second, third] = [heard(), heard(), heard()];
    await client.subscribe("T", first, { replay: false }).ready;
    await client.subscribe("T", second).ready;
    await client.subscribe("T", third).ready;
    await third.count(1);
    expect([first, second, third].map(({ all }) => offsets(all))).to.deep.equal([[], [[1, true]], [[1, true]]]);
    expect(stage.relay.subscribes.flat()).to.have.length(2);
    log.publish(2);
    await Promise.all([first.count(1), second.count(2), third.count(2)]);
  });

  it("gets it also while the first one's ack is on its way", async () => {
    const log = keepLog(stage.relay);
    log.publish(1);
    const client = stage.client();
    await state((client.connect(), client), "connected");
    const [first, second] = [heard(), heard()];
    client.subscribe("T", first, { replay: false });
    await new Promise((resolve) => setTimeout(resolve, 0));
    client.subscribe("T", second);
    await second.count(1);
    expect(first.all).to.deep.equal([]);
  });

  it("gets the last message of the log after a resync that has fired", async () => {
    const log = keepLog(stage.relay);
    log.publish(1);
    const client = stage.client();
    const [first, second] = [heard(), heard()];
    await client.subscribe("T", first).ready;
    stage.relay.socket.emit("resync", [{ topic: "T", epoch: "e1", offset: 1 }], { spread: 0, cause: "test" });
    await first.count(2);
    await client.subscribe("T", second).ready;
    await second.count(1);
    expect([offsets(first.all), offsets(second.all)]).to.deep.equal([[[1, true], "resync"], [[1, true]]]);
    log.publish(2);
    await Promise.all([first.count(3), second.count(2)]);
  });

  it("is told nothing before the relay has confirmed, nor what another user heard", async () => {
    const client = stage.client();
    const [first, second] = [heard(), heard()];
    await client.subscribe("T", first).ready;
    stage.relay.messages("T", [11, 0, { secret: true }]);
    await first.count(1);
    client.close();
    stage.relay.answer = () => ({ status: 403, body: { error: { code: "forbidden", message: "no", retry: "never" } } });
    client.connect();
    client.subscribe("T", second);
    await state(client, "failed");
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(second.all).to.deep.equal([]);
  });
});

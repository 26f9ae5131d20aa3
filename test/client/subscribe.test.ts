import { expect } from "chai";
import { confirmed } from "./fake-relay.js";
import { heard, settled, until, useStage } from "./setup.js";

describe("subscribing", () => {
  const stage = useStage();

  it("opens nothing before the first subscription", async () => {
    const client = stage.client();
    await stage.oneMore();
    expect(client.state).to.equal("idle");
    expect(stage.relay.tokenRequests).to.have.length(1);
  });

  it("asks one token request and sends one frame for all subscriptions of a tick, the connection's token included", async () => {
    const client = stage.client();
    const subscriptions = [1, 2, 3].map((id) => client.subscribe("Contact", { id }, () => {}));
    await Promise.all(subscriptions.map(({ ready }) => ready));
    expect(stage.relay.tokenRequests).to.deep.equal([{ subscriptions: [1, 2, 3].map((id) => ({ topic: "Contact", filter: { id } })) }]);
    expect(stage.relay.auths.map(({ token, v }) => [token, v])).to.deep.equal([["token 1", 1]]);
    expect(stage.relay.subscribes).to.have.length(1);
    expect(stage.relay.subscribes[0]?.map(({ token, filter, replay, since }) => ({ token, filter, replay, since }))).to.deep.equal(
      [1, 2, 3].map((id) => ({ token: "subscribe token 1", filter: { id }, replay: undefined, since: undefined })),
    );
    expect(subscriptions.map((one) => one.state)).to.deep.equal(["subscribed", "subscribed", "subscribed"]);
  });

  it("asks once more for the next tick's subscriptions, in one request and one frame", async () => {
    const client = stage.client();
    await client.subscribe("A", () => {}).ready;
    await Promise.all(["B", "C"].map((topic) => client.subscribe(topic, () => {}).ready));
    expect(stage.relay.tokenRequests).to.have.length(2);
    expect(stage.relay.subscribes.map((items) => items.map(({ topic }) => topic))).to.deep.equal([["A"], ["B", "C"]]);
    expect(stage.relay.sockets).to.have.length(1);
  });

  it("cuts a tick's frame where the relay's limits say so", async () => {
    stage.relay.hello = { ...stage.relay.hello, limits: { subscriptionsPerFrame: 40 } };
    const client = stage.client();
    await Promise.all(Array.from({ length: 100 }, (_, id) => client.subscribe("T", { id }, () => {}).ready));
    expect(stage.relay.tokenRequests).to.have.length(1);
    expect(stage.relay.subscribes.map((items) => items.length)).to.deep.equal([40, 40, 20]);
  });

  it("sends once what is subscribed while the connection's token is on its way", async () => {
    const client = stage.client();
    stage.relay.answer = async () => {
      stage.relay.answer = () => undefined;
      late = client.subscribe("Late", () => {});
      return undefined;
    };
    let late: { ready: Promise<void> } | undefined;
    await client.subscribe("Early", () => {}).ready;
    await late?.ready;
    expect(stage.relay.subscribes.flat().map(({ topic }) => topic)).to.deep.equal(["Early", "Late"]);
    expect(stage.relay.auths).to.have.length(1);
  });

  it("shares one wire subscription among equal topics and filters, however they are written", async () => {
    const client = stage.client();
    const [a, b] = [heard(), heard()];
    await Promise.all([client.subscribe("T", { x: 1, y: [2, 1] }, a).ready, client.subscribe("T", { y: [1, 2], x: [1] }, b).ready]);
    expect(stage.relay.subscribes.flat()).to.have.length(1);
    stage.relay.messages("T", [11, 5, { x: 1, y: 2 }]);
    await Promise.all([a.count(1), b.count(1)]);
    expect(a.all).to.deep.equal([{ topic: "T", data: { x: 1, y: 2 }, epoch: "e1", offset: 11, time: 5, replay: false }]);
    expect(b.all).to.deep.equal(a.all);
  });

  it("delivers to each subscription what its filter matches, once", async () => {
    const client = stage.client();
    const [five, all] = [heard(), heard()];
    await Promise.all([client.subscribe("T", { id: 5 }, five).ready, client.subscribe("T", all).ready]);
    stage.relay.messages("T", [11, 0, { id: 5 }], [12, 0, { id: 6 }]);
    stage.relay.messages("T", [12, 0, { id: 6 }], [13, 0, { id: "5" }]);
    await all.count(3);
    expect(five.all.map((event) => (event.resync ? "resync" : event.offset))).to.deep.equal([11]);
    expect(all.all.map((event) => (event.resync ? "resync" : event.offset))).to.deep.equal([11, 12, 13]);
  });

  it("handles the messages behind an ack in the same turn after it", async () => {
    const client = stage.client();
    const callback = heard();
    stage.relay.subscribe = (item) => {
      // Goes out after the ack, within one write.
      queueMicrotask(() => stage.relay.messages("T", [11, 0, {}]));
      return confirmed(item);
    };
    client.subscribe("T", callback);
    await callback.count(1);
    expect(callback.all[0]).to.include({ offset: 11, replay: false });
  });

  it("ends a subscription after the linger, with one frame", async () => {
    const client = stage.client();
    const subscriptions = ["A", "B"].map((topic) => client.subscribe(topic, () => {}));
    await Promise.all(subscriptions.map(({ ready }) => ready));
    const ids = stage.relay.subscribes.flat().map(({ id }) => id);
    for (const subscription of subscriptions) subscription.unsubscribe();
    await until(() => stage.relay.unsubscribes.length > 0);
    expect(stage.relay.unsubscribes).to.deep.equal([ids]);
  });

  it("keeps the wire subscription where the same is subscribed again within the linger", async () => {
    const client = stage.client({ linger: 30 });
    const first = client.subscribe("T", () => {});
    await first.ready;
    first.unsubscribe();
    const again = heard();
    await client.subscribe("T", again).ready;
    stage.relay.messages("T", [11, 0, {}]);
    await again.count(1);
    // What lingers from later on ends later.
    const marker = client.subscribe("Marker", () => {});
    await marker.ready;
    marker.unsubscribe();
    await until(() => stage.relay.unsubscribes.length > 0);
    expect(stage.relay.subscribes.flat().map(({ topic }) => topic)).to.deep.equal(["T", "Marker"]);
    expect(stage.relay.unsubscribes).to.deep.equal([[stage.relay.subscribes[1]?.[0]?.id]]);
  });

  it("never sends what was ended in the tick that it began in", async () => {
    const client = stage.client();
    client.subscribe("Gone", () => {}).unsubscribe();
    await client.subscribe("Kept", () => {}).ready;
    expect(stage.relay.subscribes.flat().map(({ topic }) => topic)).to.deep.equal(["Kept"]);
  });

  it("unsubscribes by handle, by id and by `using`, as often as one likes", async () => {
    const client = stage.client();
    const handles = [1, 2, 3].map((id) => client.subscribe("T", { id }, () => {}));
    const [a, b, c] = handles as [(typeof handles)[0], (typeof handles)[0], (typeof handles)[0]];
    await Promise.all(handles.map(({ ready }) => ready));
    a.unsubscribe();
    a.unsubscribe();
    client.unsubscribe(a);
    client.unsubscribe(b.id);
    client.unsubscribe("unknown");
    c[Symbol.dispose]();
    expect(handles.map((one) => one.state)).to.deep.equal(["unsubscribed", "unsubscribed", "unsubscribed"]);
    await until(() => stage.relay.unsubscribes.flat().length === 3);
  });

  it("calls nobody back after unsubscribe, not even from within a batch", async () => {
    const client = stage.client();
    const all: number[] = [];
    const subscription = client.subscribe("T", (event) => {
      if (!event.resync) all.push(event.offset);
      subscription.unsubscribe();
    });
    await subscription.ready;
    stage.relay.messages("T", [11, 0, {}], [12, 0, {}]);
    await settled(client);
    expect(all).to.deep.equal([11]);
  });

  it("refuses a topic or filter that can't be, at once", () => {
    const client = stage.client();
    expect(() => client.subscribe("no topic", () => {})).to.throw("A topic is");
    expect(() => client.subscribe("$user", () => {})).to.throw("belong to the server");
    expect(() => client.subscribe("T", { id: undefined as never }, () => {})).to.throw('The filter of "T": "id" is undefined');
    for (const replay of ["5s", { maxAge: -1 }, { maxAge: "5" }, {}, 5])
      expect(() => client.subscribe("T", () => {}, { replay: replay as never })).to.throw("replay is true, false");
    expect(() => client.subscribe("T", {} as never)).to.throw("a callback");
  });
});

describe("the replay of the last message", () => {
  const stage = useStage();

  it("is told to a first subscription and marked", async () => {
    stage.relay.subscribe = (item) => confirmed(item, { messages: [[10, 7, { id: 1 }]] });
    const callback = heard();
    await stage.client().subscribe("T", callback).ready;
    expect(callback.all).to.deep.equal([{ topic: "T", data: { id: 1 }, epoch: "e1", offset: 10, time: 7, replay: true, age: 0 }]);
  });

  it("is left out only where all who wait said so, and told only to those who did not", async () => {
    stage.relay.subscribe = (item) => confirmed(item, { messages: item.replay === false ? [] : [[10, 0, {}]] });
    const client = stage.client();
    const [yes, no] = [heard(), heard()];
    await Promise.all([
      client.subscribe("Mixed", yes).ready,
      client.subscribe("Mixed", no, { replay: false }).ready,
      client.subscribe("Without", no, { replay: false }).ready,
    ]);
    expect(stage.relay.subscribes.flat().map(({ topic, replay }) => [topic, replay])).to.deep.equal([
      ["Mixed", undefined],
      ["Without", false],
    ]);
    expect(yes.all).to.have.length(1);
    expect(no.all).to.deep.equal([]);
  });

  it("comes from what the wire subscription saw last where one joins it", async () => {
    const client = stage.client();
    const [first, second, third] = [heard(), heard(), heard()];
    await client.subscribe("T", first).ready;
    stage.relay.messages("T", [11, 0, { n: 1 }], [12, 0, { n: 2 }]);
    await first.count(2);
    await client.subscribe("T", second).ready;
    await client.subscribe("T", third, { replay: false }).ready;
    expect(second.all).to.have.length(1);
    expect(second.all[0]).to.deep.include({ topic: "T", data: { n: 2 }, epoch: "e1", offset: 12, time: 0, replay: true });
    expect(third.all).to.deep.equal([]);
    expect(first.all).to.have.length(2);
  });
});

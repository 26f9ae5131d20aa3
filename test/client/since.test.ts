import { expect } from "chai";
import type { SubscriptionState } from "@bellwire/client";
import { confirmed, refused } from "./fake-relay.js";
import { heard, settled, until, useStage } from "./setup.js";

const at = (offset: number, epoch = "e1"): { epoch: string; offset: number } => ({ epoch, offset });

describe("a subscription since the page was rendered", () => {
  const stage = useStage();

  it("asks for what came after that position, whatever replay says, and is told it in order", async () => {
    stage.relay.subscribe = (item) =>
      confirmed(item, {
        offset: 12,
        messages: [
          [11, 0, {}],
          [12, 0, {}],
        ],
      });
    const client = stage.client();
    const callback = heard();
    client.subscribe("T", { id: 5 }, callback, { since: { ...at(10), topic: "T" } as never, replay: false });
    await callback.count(2);
    expect(callback.all.map((event) => !event.resync && [event.offset, event.replay])).to.deep.equal([
      [11, true],
      [12, true],
    ]);
    expect(stage.relay.subscribes.flat()[0])
      .to.deep.include({ since: at(10) })
      .and.not.include.keys("replay");
  });

  it("is not told again what this page has heard since, mounted anew, but all that came in between", async () => {
    const client = stage.client();
    const [first, second] = [heard(), heard()];
    const handle = client.subscribe("T", null, first, { since: at(10) });
    await handle.ready;
    stage.relay.messages("T", [11, 0, {}]);
    await first.count(1);
    handle.unsubscribe();
    stage.relay.subscribe = (item) => confirmed(item, { messages: item.since?.offset === 10 ? [[11, 0, {}]] : [] });
    client.subscribe("T", null, second, { since: at(10) });
    await settled(client);
    stage.relay.messages("T", [12, 0, {}]);
    await second.count(1);
    expect(second.all.map((event) => !event.resync && event.offset)).to.deep.equal([12]);
  });

  it("has its own place beside one that is ahead of it", async () => {
    const client = stage.client();
    const ahead = heard();
    await client.subscribe("T", null, ahead).ready;
    stage.relay.messages("T", [11, 0, {}]);
    await ahead.count(1);
    stage.relay.subscribe = (item) => confirmed(item, { offset: 11, messages: [[11, 0, {}]] });
    const late = heard();
    client.subscribe("T", null, late, { since: at(10) });
    await late.count(1);
    expect(stage.relay.subscribes.flat().map(({ since }) => since)).to.deep.equal([undefined, at(10)]);
  });

  it("begins where newer data was read, not where an older one stopped", async () => {
    const client = stage.client();
    const handle = client.subscribe("T", null, () => {});
    await handle.ready;
    handle.unsubscribe();
    await until(() => stage.relay.unsubscribes.length === 1);
    await client.subscribe("T", null, () => {}, { since: at(20) }).ready;
    expect(stage.relay.subscribes.flat().at(-1)?.since).to.deep.equal(at(20));
  });

  it("is refused where the position is none", () => {
    const client = stage.client();
    for (const since of [5, "e1", {}, { epoch: "e1" }, { epoch: "e1", offset: -1 }]) {
      expect(() => client.subscribe("T", null, () => {}, { since: since as never })).to.throw("since is a position");
    }
  });
});

describe("a subscription's state", () => {
  const stage = useStage();

  it("is told when it changes: confirmed, lost with the connection, and confirmed again", async () => {
    const client = stage.client();
    const states: SubscriptionState[] = [];
    client.subscribe("T", null, () => {}, { onState: ({ state }) => states.at(-1) !== state && states.push(state) });
    await until(() => states.includes("subscribed"));
    stage.relay.cut();
    await until(() => states.filter((state) => state === "subscribed").length === 2);
    expect(states).to.deep.equal(["pending", "subscribed", "pending", "subscribed"]);
  });

  it("is told with the reason of a refusal, for now and for good", async () => {
    let refusals = 0;
    stage.relay.subscribe = (item) => (refusals++ === 0 ? refused(item, "limit", "later") : refused(item, "forbidden", "never"));
    const told: unknown[] = [];
    stage.client({ onError: () => {} }).subscribe("T", null, () => {}, { onState: ({ state, error }) => told.push([state, error?.code]) });
    await until(() => told.length > 0 && JSON.stringify(told.at(-1)) === '["failed","forbidden"]');
    expect(told).to.deep.include(["pending", "limit"]);
  });

  it("is not told to who has left", async () => {
    const client = stage.client();
    let told = 0;
    const handle = client.subscribe("T", null, () => {}, { onState: () => told++ });
    handle.unsubscribe();
    await client.subscribe("T", null, () => {}).ready;
    expect(told).to.equal(0);
  });
});

import { mock } from "node:test";
import { expect } from "chai";
import { confirmed } from "./fake-relay.js";
import { heard, settled, useStage } from "./setup.js";

describe("a resync", () => {
  const stage = useStage();
  const resync = (topic: string, spread?: number): void =>
    void stage.relay.socket.emit("resync", [{ topic, epoch: "e2", offset: 40 }], {
      ...(spread === undefined ? {} : { spread }),
      cause: "test",
    });

  it("calls the callback with the filter's single values, so that a page that reloads by id does the right thing", async () => {
    const client = stage.client();
    const callback = heard();
    await client.subscribe("T", { id: 5, type: ["a", "b"] }, callback).ready;
    resync("T");
    await callback.count(1);
    expect(callback.all).to.deep.equal([{ resync: true, topic: "T", data: { id: 5 } }]);
  });

  it("calls onResync instead, where there is one", async () => {
    const client = stage.client();
    const [callback, onResync] = [heard(), heard()];
    await client.subscribe("T", callback, { onResync }).ready;
    resync("T");
    await onResync.count(1);
    expect(onResync.all).to.deep.equal([{ resync: true, topic: "T", data: {} }]);
    expect(callback.all).to.deep.equal([]);
  });

  it("sets the cursor, and messages go on meanwhile", async () => {
    const client = stage.client();
    const [callback, onResync] = [heard(), heard()];
    await client.subscribe("T", callback, { onResync }).ready;
    resync("T", 60_000);
    stage.relay.socket.emit("messages", "T", "e2", [
      [40, 0, { old: true }],
      [41, 0, {}],
    ]);
    await callback.count(1);
    expect(callback.all.map((event) => (event.resync ? "resync" : [event.epoch, event.offset]))).to.deep.equal([["e2", 41]]);
    expect(onResync.all).to.deep.equal([]);
  });

  it("is told once within the spread, however often it is announced", async () => {
    const client = stage.client();
    const callback = heard();
    await client.subscribe("T", callback).ready;
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      for (let i = 0; i < 5; i++) resync("T", 20_000);
      await settled(client);
      mock.timers.tick(20_000);
      expect(callback.all).to.have.length(1);
      mock.timers.tick(1_000_000);
      expect(callback.all).to.have.length(1);
    } finally {
      mock.timers.reset();
    }
  });

  it("is what an ack may say, without messages", async () => {
    stage.relay.subscribe = (item) => confirmed(item, { resync: true, messages: [[9, 0, {}]] });
    const callback = heard();
    await stage.client().subscribe("T", { id: 1 }, callback).ready;
    expect(callback.all).to.deep.equal([{ resync: true, topic: "T", data: { id: 1 } }]);
  });

  it("is what a change of epoch means, in messages and in positions", async () => {
    const client = stage.client();
    const callback = heard();
    await client.subscribe("T", callback).ready;
    stage.relay.socket.emit("messages", "T", "e2", [[3, 0, {}]]);
    stage.relay.socket.emit("positions", [{ topic: "T", epoch: "e3", offset: 1 }]);
    stage.relay.socket.emit("messages", "T", "e3", [[2, 0, {}]]);
    await callback.count(3);
    expect(callback.all.map((event) => event.resync ?? event.offset)).to.deep.equal([true, true, 2]);
  });

  it("concerns nobody else, and not who left", async () => {
    const client = stage.client();
    const [other, left] = [heard(), heard()];
    const leaving = client.subscribe("T", left);
    await Promise.all([client.subscribe("Other", other).ready, leaving.ready]);
    leaving.unsubscribe();
    resync("T");
    await settled(client);
    expect([...other.all, ...left.all]).to.deep.equal([]);
  });
});

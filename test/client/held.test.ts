import { expect } from "chai";
import type { ClientEvents } from "@bellwire/client";
import { heard, settled, state, until, useStage } from "./setup.js";

describe("subscriptions that the server made", () => {
  const stage = useStage();
  const made = (more: object = {}): void =>
    void stage.relay.socket.emit("subscribed", {
      id: "$1",
      topic: "$user",
      filter: {},
      epoch: "e1",
      offset: 5,
      messages: [],
      resync: false,
      ...more,
    });

  it("are heard through on(), and resumed from where they were", async () => {
    const client = stage.client({ lazy: false });
    const [messages, resyncs] = [heard(), heard()];
    const begun: ClientEvents["subscribed"][] = [];
    client.on("message", messages);
    client.on("resync", resyncs);
    client.on("subscribed", (event) => begun.push(event));
    await state(client, "connected");
    made({ messages: [[5, 0, { n: 5 }]] });
    stage.relay.messages("$user", [5, 0, { n: 5 }], [6, 0, { n: 6 }]);
    await messages.count(2);
    expect(messages.all.map((event) => (event.resync ? 0 : [event.offset, event.replay]))).to.deep.equal([
      [5, true],
      [6, false],
    ]);
    expect(begun).to.deep.equal([{ id: "$1", topic: "$user", filter: {} }]);
    stage.relay.cut();
    await until(() => stage.relay.auths.length === 2);
    expect(stage.relay.auths[1]?.since).to.deep.equal([{ topic: "$user", filter: {}, epoch: "e1", offset: 6 }]);
    await state(client, "connected");
    made({ id: "$9", offset: 7, messages: [[7, 0, { n: 7 }]] });
    await messages.count(3);
    expect(messages.all[2]).to.include({ offset: 7, replay: false });
    made({ id: "$9", resync: true });
    await resyncs.count(1);
    expect(resyncs.all).to.deep.equal([{ resync: true, topic: "$user", data: {} }]);
  });

  it("end when the server says so", async () => {
    const client = stage.client({ lazy: false });
    const messages = heard();
    const ended: ClientEvents["unsubscribed"][] = [];
    client.on("message", messages);
    client.on("unsubscribed", (event) => ended.push(event));
    await state(client, "connected");
    made();
    stage.relay.socket.emit("unsubscribed", {
      id: "$1",
      topic: "$user",
      filter: {},
      error: { code: "revoked", message: "no", retry: "refresh" },
    });
    stage.relay.messages("$user", [6, 0, {}]);
    await settled(client);
    expect(messages.all).to.deep.equal([]);
    expect(ended.map(({ id, error }) => [id, error.code])).to.deep.equal([["$1", "revoked"]]);
  });

  it("are forgotten with close(), since somebody else may come next", async () => {
    const client = stage.client({ lazy: false });
    await state(client, "connected");
    made();
    await settled(client);
    client.close();
    client.connect();
    await until(() => stage.relay.auths.length === 2);
    expect(stage.relay.auths[1]).to.deep.equal({ v: 1, client: client.id, token: "token 2" });
  });
});

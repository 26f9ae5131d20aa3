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

  it("end by topic and filter, since the next connection gives their ids to others", async () => {
    const client = stage.client({ lazy: false });
    const messages = heard();
    const ended: ClientEvents["unsubscribed"][] = [];
    client.on("message", messages);
    client.on("unsubscribed", (event) => ended.push(event));
    const refuse = (id: string, topic: string): void =>
      void stage.relay.socket.emit("unsubscribed", { id, topic, filter: [], error: { code: "limit", message: "no", retry: "later" } });
    await state(client, "connected");
    made({ id: "$1", topic: "A" });
    made({ id: "$2", topic: "B" });
    await settled(client);
    stage.relay.cut();
    await until(() => stage.relay.auths.length === 2 && client.state === "connected");
    made({ id: "$1", topic: "A" });
    refuse("$1", "B"); // has not been made on this connection
    refuse("$7", "C"); // nor on any before
    refuse("s1", "A"); // no id of the server's
    stage.relay.messages("A", [6, 0, {}]);
    await messages.count(1);
    expect(ended.map(({ id, topic, error }) => [id, topic, error.code])).to.deep.equal([
      ["$1", "B", "limit"],
      ["$7", "C", "limit"],
    ]);
  });

  it("keep their place where they could not be made for now, and lose it where they ended for good", async () => {
    const client = stage.client({ lazy: false });
    const messages = heard();
    client.on("message", messages);
    const end = (topic: string, code: string, retry: string): void =>
      void stage.relay.socket.emit("unsubscribed", { id: "$1", topic, filter: {}, error: { code, message: "no", retry } });
    await state(client, "connected");
    for (const topic of ["A", "B"]) made({ topic });
    end("A", "limit", "later");
    end("B", "not-found", "never");
    for (const topic of ["A", "B"]) stage.relay.messages(topic, [6, 0, {}]);
    await settled(client);
    expect(messages.all).to.deep.equal([]);
    stage.relay.cut();
    await until(() => stage.relay.auths.length === 2);
    expect(stage.relay.auths[1]?.since).to.deep.equal([{ topic: "A", filter: {}, epoch: "e1", offset: 5 }]);
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

  it("are heard however many the relay says there may be, and those beyond are said, once", async () => {
    const errors: Error[] = [];
    for (const [named, most] of [
      [1500, 1502],
      [undefined, 1002],
    ] as const) {
      stage.relay.hello = { ...stage.relay.hello, limits: named === undefined ? {} : { subscriptions: named } };
      const client = stage.client({ lazy: false, onError: (error) => errors.push(error) });
      const begun: string[] = [];
      client.on("subscribed", ({ topic }) => begun.push(topic));
      await state(client, "connected");
      for (let i = 0; i < most + 5; i++) made({ id: `$${i}`, topic: `T${i}` });
      await settled(client);
      expect(begun).to.have.length(most);
      expect(errors.map(({ message }) => message)).to.deep.equal([
        `The server made more than ${most - 2} subscriptions for this client: that to T${most} and those after it are not heard. Make fewer, or broader ones`,
      ]);
      errors.length = 0;
      const messages = heard();
      client.on("message", messages);
      stage.relay.messages(`T${most - 1}`, [6, 0, {}]);
      await messages.count(1);
      client.close();
    }
  });

  it("tell of no more positions than a frame holds; what the others may have missed is a resync", async () => {
    stage.relay.hello = { ...stage.relay.hello, limits: { frameBytes: 3000, subscriptions: 50 } };
    const client = stage.client({ lazy: false });
    const resyncs = heard();
    client.on("resync", resyncs);
    await state(client, "connected");
    const topics = Array.from({ length: 20 }, (_, i) => `Topic_${i}`);
    for (const [i, topic] of topics.entries()) made({ id: `$${i}`, topic });
    await settled(client);
    stage.relay.cut();
    await until(() => stage.relay.auths.length === 2 && client.state === "connected");
    const told = (stage.relay.auths[1]?.since ?? []).map(({ topic }) => topic);
    expect(JSON.stringify(stage.relay.auths[1]?.since).length).to.be.below(510);
    expect(told).to.deep.equal(topics.slice(0, told.length));
    expect(told.length).to.be.within(5, 15);
    // The first and the last have moved on meanwhile. The relay begins those anew whose position it does not know.
    for (const [i, topic] of topics.entries()) {
      const moved = topic === "Topic_0" || topic === "Topic_19";
      made({ id: `$${i}`, topic, ...(moved ? { offset: 8, messages: [[8, 0, {}]], spread: 0 } : {}) });
    }
    await resyncs.count(1);
    await settled(client);
    expect(resyncs.all.map(({ topic }) => topic)).to.deep.equal(["Topic_19"]);
  });
});

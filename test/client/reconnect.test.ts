import { mock } from "node:test";
import { expect } from "chai";
import type { ClientError } from "@bellwire/client";
import { confirmed, FakeRelay, refused } from "./fake-relay.js";
import { heard, settled, state, until, useStage } from "./setup.js";

describe("coming back", () => {
  const stage = useStage();

  it("happens with tickets, positions and the same client id, without a word to the backend", async () => {
    const client = stage.client();
    const callback = heard();
    const subscription = client.subscribe("T", { id: 1 }, callback);
    await Promise.all([subscription.ready, client.subscribe("Quiet", () => {}).ready]);
    stage.relay.messages("T", [11, 0, { id: 1 }], [12, 0, { id: 2 }]);
    stage.relay.socket.emit("positions", [{ topic: "Quiet", epoch: "e1", offset: 30 }]);
    await settled(client);
    stage.relay.subscribe = (item) => confirmed(item, item.topic === "T" ? { offset: 14, messages: [[14, 0, { id: 1 }]] } : {});
    stage.relay.cut();
    await state(client, "waiting");
    expect(subscription.state).to.equal("pending");
    await callback.count(2);
    expect(stage.relay.tokenRequests).to.have.length(1);
    expect(stage.relay.auths[1]).to.deep.equal({ v: 1, client: client.id, ticket: "connection ticket" });
    expect(stage.relay.auths[0]?.client).to.equal(client.id);
    expect(stage.relay.subscribes[1]?.map(({ ticket, since }) => ({ ticket, since }))).to.deep.equal([
      { ticket: "ticket of s1", since: { epoch: "e1", offset: 12 } },
      { ticket: "ticket of s2", since: { epoch: "e1", offset: 30 } },
    ]);
    expect(callback.all[1]).to.include({ offset: 14, replay: false });
    expect(subscription.state).to.equal("subscribed");
  });

  it("uses the tickets that were renewed", async () => {
    const client = stage.client();
    await client.subscribe("T", () => {}).ready;
    stage.relay.socket.emit("tickets", [
      [null, "new connection ticket"],
      ["s1", "new ticket"],
      ["s99", "of nobody"],
    ]);
    await settled(client);
    stage.relay.cut();
    await until(() => stage.relay.subscribes.length === 2);
    expect(stage.relay.auths[1]?.ticket).to.equal("new connection ticket");
    expect(stage.relay.subscribes[1]?.[0]?.ticket).to.equal("new ticket");
  });

  it("asks for fresh tokens where a ticket is refused, once each and without a wait", async () => {
    const client = stage.client({ reconnect: { delays: [5, 60_000], random: () => 1 } });
    await client.subscribe("T", () => {}).ready;
    stage.relay.admit = ({ ticket }) => (ticket === undefined ? undefined : { code: "token-expired", message: "old", retry: "refresh" });
    stage.relay.subscribe = (item) => (item.ticket === undefined ? confirmed(item) : refused(item, "token-expired", "refresh"));
    stage.relay.cut();
    await until(() => stage.relay.subscribes.length === 3);
    expect(stage.relay.auths.map(({ token, ticket }) => token ?? ticket)).to.deep.equal(["token 1", "connection ticket", "token 2"]);
    expect(stage.relay.subscribes.map(([item]) => item?.token ?? item?.ticket)).to.deep.equal([
      "subscribe token 1",
      "ticket of s1",
      "subscribe token 3",
    ]);
    expect(stage.relay.subscribes[2]?.[0]?.since).to.deep.equal({ epoch: "e1", offset: 10 });
  });

  it("asks for tokens anew where the relay gives no tickets, again in one request", async () => {
    stage.relay.hello = { ...stage.relay.hello, ticket: null };
    stage.relay.subscribe = (item) => confirmed(item, { ticket: null });
    const client = stage.client();
    await Promise.all(["A", "B"].map((topic) => client.subscribe(topic, () => {}).ready));
    stage.relay.cut();
    await until(() => stage.relay.subscribes.length === 2);
    expect(stage.relay.tokenRequests.map(({ subscriptions }) => subscriptions?.length)).to.deep.equal([2, 2]);
  });

  it("goes on after a disconnect by the server, which Socket.IO itself would not", async () => {
    const client = stage.client();
    await client.subscribe("T", () => {}).ready;
    stage.relay.socket.disconnect();
    await until(() => stage.relay.subscribes.length === 2);
    expect(client.state).to.equal("connected");
  });

  it("asks the backend where the relay is once its ticket leads nowhere", async () => {
    const client = stage.client();
    await client.subscribe("T", () => {}).ready;
    const moved = await FakeRelay.start();
    stage.relay.answer = () => ({ body: { enabled: true, url: moved.url, site: "s1", token: "t", subscribeToken: "st" } });
    stage.relay.admit = () => ({ code: "unavailable", message: "moved", retry: "later" });
    stage.relay.cut();
    await until(() => moved.subscribes.length === 1);
    expect(moved.auths[0]).to.include({ ticket: "connection ticket" }).and.not.to.have.property("token");
    expect(stage.relay.auths.map(({ ticket }) => ticket !== undefined)).to.deep.equal([false, true, true, true, true, true]);
    expect(stage.relay.tokenRequests).to.have.length(2);
    client.close();
    await moved.stop();
  });

  it("takes new subscriptions along that were made while it waited", async () => {
    const client = stage.client();
    await client.subscribe("T", () => {}).ready;
    stage.relay.cut();
    await state(client, "waiting");
    const late = client.subscribe("Late", () => {});
    await late.ready;
    expect(stage.relay.subscribes.flat().map(({ topic }) => topic)).to.deep.equal(["T", "T", "Late"]);
  });

  it("forgets on the way what nobody hears any more", async () => {
    const client = stage.client({ linger: 10_000 });
    const gone = client.subscribe("Gone", () => {});
    await Promise.all([gone.ready, client.subscribe("Kept", () => {}).ready]);
    gone.unsubscribe();
    stage.relay.cut();
    await until(() => stage.relay.subscribes.length === 2);
    expect(stage.relay.subscribes[1]?.map(({ topic }) => topic)).to.deep.equal(["Kept"]);
  });

  it("retries what was refused for later, with the relay's patience and without the others", async () => {
    let refusals = 2;
    stage.relay.subscribe = (item) =>
      item.topic === "Busy" && refusals-- > 0 ? refused(item, "limit", "later", { after: 10 }) : confirmed(item);
    const client = stage.client();
    const errors: string[] = [];
    client.on("error", (error) => errors.push((error as ClientError).code));
    await Promise.all(["Busy", "Free"].map((topic) => client.subscribe(topic, () => {}).ready));
    expect(stage.relay.subscribes.map((items) => items.map(({ topic }) => topic))).to.deep.equal([["Busy", "Free"], ["Busy"], ["Busy"]]);
    expect(errors).to.deep.equal(["limit", "limit"]);
  });
});

describe("what a relay says before it closes", () => {
  const stage = useStage();

  it("`bye` with retry never stops the client and says so", async () => {
    const errors: Error[] = [];
    const client = stage.client({ onError: (error) => errors.push(error) });
    await client.subscribe("T", () => {}).ready;
    stage.relay.socket.emit("bye", { code: "forbidden", message: "go away", retry: "never" });
    await state(client, "failed");
    expect(client.error).to.include({ code: "forbidden", message: "go away" });
    expect(errors).to.deep.equal([client.error]);
    await stage.oneMore();
    expect(stage.relay.auths.map(({ client: id }) => id === client.id)).to.deep.equal([true, false]);
  });

  it("`bye` with retry refresh brings a new token", async () => {
    const client = stage.client();
    await client.subscribe("T", () => {}).ready;
    stage.relay.socket.emit("bye", { code: "revoked", message: "", retry: "refresh" });
    await until(() => stage.relay.auths.length === 2);
    expect(stage.relay.auths[1]).to.include({ token: "token 2" });
  });

  it("`bye` with retry later is waited for as long as it says", async () => {
    const client = stage.client();
    await client.subscribe("T", () => {}).ready;
    const wait = mock.method(globalThis, "setTimeout");
    stage.relay.socket.emit("bye", { code: "slow", message: "", retry: "later", after: 60 });
    await state(client, "waiting");
    // What it says, and then the backoff's own wait.
    expect(wait.mock.calls.map(({ arguments: [, delay] }) => delay)).to.include(60 + 5);
    wait.mock.restore();
    await until(() => stage.relay.auths.length === 2);
  });

  it("`draining` moves the client in its own moment, with its cursors", async () => {
    const client = stage.client({ reconnect: { delays: [60_000], random: () => 1 } });
    await client.subscribe("T", () => {}).ready;
    stage.relay.socket.emit("draining", { reconnectIn: 20 });
    await settled(client);
    expect(client.state).to.equal("connected");
    await until(() => stage.relay.subscribes.length === 2);
    expect(stage.relay.subscribes[1]?.[0]).to.deep.include({ since: { epoch: "e1", offset: 10 }, ticket: "ticket of s1" });
  });

  it("`expiring` is answered with fresh tokens, for the connection or some subscriptions", async () => {
    const client = stage.client();
    await client.subscribe("T", () => {}).ready;
    stage.relay.socket.emit("expiring", { until: 1 });
    await until(() => stage.relay.refreshes.length === 1);
    stage.relay.socket.emit("expiring", { until: 1, ids: ["s1", "$1"] });
    await until(() => stage.relay.refreshes.length === 2);
    expect(stage.relay.refreshes).to.deep.equal([{ token: "token 2" }, { subscriptions: [{ id: "s1", token: "subscribe token 3" }] }]);
  });

  it("`unsubscribed` of the client's own: never fails it, anything else subscribes it anew from its cursor", async () => {
    const client = stage.client();
    const errors: Error[] = [];
    const [a, b] = [client.subscribe("A", () => {}), client.subscribe("B", () => {}, { onError: (error) => errors.push(error) })];
    await Promise.all([a.ready, b.ready]);
    stage.relay.socket.emit("unsubscribed", {
      id: "s1",
      topic: "A",
      filter: {},
      error: { code: "revoked", message: "", retry: "refresh" },
    });
    stage.relay.socket.emit("unsubscribed", {
      id: "s2",
      topic: "B",
      filter: {},
      error: { code: "forbidden", message: "no", retry: "never" },
    });
    await until(() => a.state === "subscribed" && stage.relay.subscribes.length === 2);
    expect(stage.relay.subscribes[1]?.map(({ id, token, since }) => ({ id, token, since }))).to.deep.equal([
      { id: "s1", token: "subscribe token 2", since: { epoch: "e1", offset: 10 } },
    ]);
    expect(b.state).to.equal("failed");
    expect(errors).to.deep.equal([b.error]);
  });
});

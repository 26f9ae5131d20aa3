import { expect } from "chai";
import { createClient, type ClientError } from "@bellwire/client";
import { heard, settled, state, until, useStage } from "./setup.js";

const failure = (promise: Promise<unknown>): Promise<ClientError> =>
  promise.then(
    () => {
      throw new Error("did not reject");
    },
    (error: ClientError) => error,
  );

describe("a client", () => {
  const stage = useStage();

  it("shows its state and tells of changes until one stops listening", async () => {
    const client = stage.client();
    const states: string[] = [];
    const stop = client.onState((now) => states.push(now));
    expect(client.state).to.equal("idle");
    client.connect();
    client.connect();
    await state(client, "connected");
    expect(stage.relay.sockets).to.have.length(1);
    expect([client.user, client.session]).to.deep.equal(["u1", null]);
    stop();
    client.close();
    expect([client.state, states]).to.deep.equal(["closed", ["connecting", "connected"]]);
  });

  it("returns from close() with its subscriptions, and with fresh tokens only", async () => {
    const client = stage.client();
    const subscription = client.subscribe("T", () => {});
    await subscription.ready;
    client.close();
    client.close();
    expect(subscription.state).to.equal("pending");
    client.connect();
    await until(() => stage.relay.subscribes.length === 2);
    expect(stage.relay.auths[1]?.token).to.equal("token 2");
    expect(stage.relay.subscribes[1]?.[0]).to.deep.include({ token: "subscribe token 2", since: { epoch: "e1", offset: 10 } });
  });

  it("may be closed in any moment, also from its own listeners", async () => {
    for (const moment of ["connecting", "connected"] as const) {
      const client = stage.client();
      const stop = client.onState((now) => now === moment && client.close());
      client.subscribe("T", () => {});
      await state(client, "closed");
      // What was under way would have come to something before what begins only now.
      stop();
      const subscribes = stage.relay.subscribes.length;
      client.connect();
      await until(() => stage.relay.subscribes.length > subscribes);
      await settled(client);
      expect(stage.relay.subscribes).to.have.length(subscribes + 1);
    }
    expect(stage.relay.sockets.filter((socket) => socket.connected)).to.have.length(2);
  });

  it("does not share its connection with another client of the page", async () => {
    await Promise.all([stage.client(), stage.client()].map((client) => client.subscribe("T", () => {}).ready));
    expect(new Set(stage.relay.sockets.map((socket) => socket.conn)).size).to.equal(2);
    expect(new Set(stage.relay.auths.map(({ client }) => client)).size).to.equal(2);
  });

  it("keeps exceptions of callbacks from each other, and reports them", async () => {
    const errors: string[] = [];
    const client = stage.client({ onError: (error) => errors.push(error.message) });
    const callback = heard();
    await Promise.all([
      client.subscribe("T", () => {
        throw new Error("thrown");
      }).ready,
      client.subscribe("T", () => Promise.reject(new Error("rejected"))).ready,
      client.subscribe("T", callback).ready,
    ]);
    stage.relay.messages("T", [11, 0, {}], [12, 0, {}]);
    await callback.count(2);
    await until(() => errors.length === 4);
    expect(errors.toSorted()).to.deep.equal(["rejected", "rejected", "thrown", "thrown"]);
  });

  it("ignores what no relay should send", async () => {
    const client = stage.client();
    const callback = heard();
    await client.subscribe("T", callback).ready;
    const { socket } = stage.relay;
    socket.emit("messages");
    socket.emit("messages", "T", 5, [[11, 0, {}]]);
    socket.emit("messages", "T", "e1", [null, [], ["x"], {}]);
    socket.emit("positions", [null, { topic: "T" }, 5]);
    socket.emit("resync", {}, null);
    socket.emit("tickets", [[]]);
    socket.emit("subscribed", { id: "$1", topic: "no topic" });
    socket.emit("unsubscribed");
    socket.emit("news from the future", 1);
    socket.emit("toString");
    socket.emit("messages", "T", "e1", [[11, 0, [], { meta: 1 }, "more"]], {}, "more");
    await callback.count(1);
    expect(callback.all).to.deep.equal([{ topic: "T", data: {}, epoch: "e1", offset: 11, time: 0, replay: false }]);
    expect(client.state).to.equal("connected");
  });

  it("says what is missing from its options", () => {
    expect(() => createClient({})).to.throw("createClient needs an endpoint");
    expect(() => createClient({ url: "ws://x" })).to.throw("or a url and a site");
  });

  it("fails with a sentence where url or site can't be", async () => {
    const client = stage.client({ url: "ftp://x", site: "s1", onError: () => {} });
    client.connect();
    await state(client, "failed");
    expect(client.error?.message).to.contain('"ftp://x" is not one like wss://example.com/ws');
  });

  it("is a no-op on a server, where a relative endpoint leads nowhere", async () => {
    const client = createClient({ endpoint: "/realtime" });
    const subscription = client.subscribe("T", () => {});
    client.connect();
    expect([client.state, subscription.state]).to.deep.equal(["off", "pending"]);
    expect((await failure(client.publish("T", {}))).message).to.equal("The client is off");
    subscription.unsubscribe();
    client.close();
    expect([client.state, subscription.state]).to.deep.equal(["off", "unsubscribed"]);
  });
});

describe("what a client asks of the relay", () => {
  const stage = useStage();

  it("waits for the connection and opens it", async () => {
    const client = stage.client();
    expect(await Promise.all([client.publish("T", {}), client.rpc("ping", { x: 1 }), client.presence("T")])).to.deep.equal([
      { epoch: "e1", offset: 11 },
      { status: 201, data: { method: "ping", data: { x: 1 } } },
      { users: [{ user: "u1" }], count: 3 },
    ]);
    expect(stage.relay.sockets).to.have.length(1);
  });

  it("rejects with the relay's own words", async () => {
    expect(await failure(stage.client().publish("Closed", {}))).to.include({ name: "BellwireError", code: "forbidden", retry: "never" });
  });

  it("rejects with the backend's own refusal, whatever its code, and acts by its retry alone", async () => {
    const reason = { code: "credit-limit", message: "Over the limit by 5" };
    const client = stage.client({ onError: () => {} });
    client.connect();
    await state(client, "connected");
    stage.relay.socket.removeAllListeners("rpc");
    stage.relay.socket.on("rpc", (_call: unknown, ack: (reply: object) => void) =>
      ack({ error: { code: "rejected", message: "The backend said no", retry: "never", reason } }),
    );
    expect(await failure(client.rpc("order"))).to.deep.include({ code: "rejected", retry: "never", reason });
    for (const [code, retry, wanted] of [
      ["forbidden", "later", "waiting"],
      ["unheard-of", "unheard-of too", "waiting"],
      ["unavailable", "refresh", "waiting"],
      ["rejected", "never", "failed"],
    ] as const) {
      await state(client, "connected");
      const next = state(client, wanted);
      stage.relay.socket.emit("bye", { code, message: "", retry, reason });
      await next;
    }
    expect(client.error).to.deep.include({ code: "rejected", retry: "never", reason });
    expect(stage.relay.auths.map(({ ticket }) => ticket !== undefined)).to.deep.equal([false, true, true, false]);
  });

  it("rejects after the timeout, connected or not", async () => {
    stage.relay.answer = () => new Promise(() => {});
    const client = stage.client();
    expect(await failure(client.rpc("ping", 1, { timeout: 20 }))).to.include({ code: "timeout" });
  });

  it("rejects where the connection is lost, is refused, or was closed", async () => {
    const client = stage.client();
    await state((client.connect(), client), "connected");
    const lost = failure(client.publish("Silent", {}));
    await settled(client);
    stage.relay.cut();
    expect((await lost).message).to.contain("the outcome is unknown");
    client.close();
    expect((await failure(client.presence("T"))).message).to.equal("The client is closed");
    stage.relay.answer = () => ({ status: 401 });
    expect((await failure(stage.client().presence("T"))).message).to.equal("The client is off");
  });

  it("rejects what can't be written", async () => {
    const circle: Record<string, unknown> = {};
    circle.circle = circle;
    expect(await failure(stage.client().rpc("ping", circle))).to.include({ code: "bad-request" });
    expect((await failure(stage.client().publish("$user", {}))).code).to.equal("forbidden");
  });
});

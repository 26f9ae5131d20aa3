import { expect } from "chai";
import type { Client, State } from "@bellwire/client";
import { confirmed, refused } from "./fake-relay.js";
import { state, until, useStage } from "./setup.js";

const expired = { code: "token-expired", message: "too old", retry: "refresh" };

/** The states that a client goes through from now on. */
function statesOf(client: Client): State[] {
  const states: State[] = [];
  client.onState((now) => states.push(now));
  return states;
}

describe("the token endpoint", () => {
  const stage = useStage();

  for (const [what, reply] of [
    ["401", { status: 401, body: { error: "signed out" } }],
    ["enabled: false", { body: { enabled: false } }],
  ] as const) {
    it(`turns the client off with ${what}, quietly, until connect()`, async () => {
      stage.relay.answer = () => reply;
      const errors: Error[] = [];
      const client = stage.client({ onError: (error) => errors.push(error) });
      const subscription = client.subscribe("T", () => {});
      await state(client, "off");
      client.subscribe("Another", () => {});
      stage.relay.answer = () => undefined;
      await stage.oneMore();
      expect(stage.relay.tokenRequests).to.have.length(2);
      expect([errors, client.error, subscription.state]).to.deep.equal([[], undefined, "pending"]);
      client.connect();
      await subscription.ready;
      expect(stage.relay.subscribes.flat().map(({ topic }) => topic)).to.deep.equal(["T", "Another"]);
    });
  }

  it("is asked again with backoff while it fails, and says what is wrong to who listens", async () => {
    let failures = 3;
    stage.relay.answer = () => (failures-- > 0 ? { status: 500 } : undefined);
    const client = stage.client();
    const messages: string[] = [];
    client.on("error", (error) => messages.push(error.message));
    await client.subscribe("T", () => {}).ready;
    expect(stage.relay.tokenRequests).to.have.length(4);
    expect(messages).to.deep.equal(Array.from({ length: 3 }, () => "The token endpoint answered 500 without a JSON object"));
  });

  it("never costs an open connection", async () => {
    const client = stage.client();
    await client.subscribe("A", () => {}).ready;
    const states = statesOf(client);
    const replies = [{ status: 503 }, { status: 401 }, { body: { enabled: false } }, { body: "no object" }];
    stage.relay.answer = () => replies.shift();
    await client.subscribe("B", () => {}).ready;
    expect(replies).to.deep.equal([]);
    expect(states).to.deep.equal([]);
    expect(stage.relay.sockets).to.have.length(1);
  });

  it("may refuse one of several: that one fails, the others go on", async () => {
    stage.relay.answer = ({ subscriptions = [] }) => ({
      body: {
        enabled: true,
        url: stage.relay.url,
        site: "s1",
        token: "t",
        subscribeToken: "st",
        results: subscriptions.map((one) =>
          one.topic === "Secret" ? { ...one, error: { code: "forbidden", message: "no", retry: "never" } } : one,
        ),
      },
    });
    const client = stage.client({ onError: () => {} });
    const [secret, open] = [client.subscribe("Secret", () => {}), client.subscribe("Open", () => {})];
    await open.ready;
    expect(await secret.ready.catch((error: unknown) => error)).to.equal(secret.error);
    expect(secret.state).to.equal("failed");
    expect(stage.relay.subscribes.flat().map(({ topic, token }) => [topic, token])).to.deep.equal([["Open", "st"]]);
  });

  it("gets the headers and is told of nothing that it does not need", async () => {
    const client = stage.client({ headers: () => ({ "x-csrf": "1" }), lazy: false });
    await state(client, "connected");
    expect(stage.relay.tokenRequests).to.deep.equal([{}]);
  });
});

describe("refused tokens", () => {
  const stage = useStage();

  it("are replaced with backoff, however long they are refused", async () => {
    let refusals = 3;
    stage.relay.admit = () => (refusals-- > 0 ? expired : undefined);
    const client = stage.client();
    const states = statesOf(client);
    await client.subscribe("T", () => {}).ready;
    expect(stage.relay.auths.map(({ token }) => token)).to.deep.equal(["token 1", "token 2", "token 3", "token 4"]);
    expect(states.filter((one) => one === "waiting")).to.have.length(3);
  });

  it("end it where there is no other: an expired token without a getter does not loop", async () => {
    stage.relay.admit = () => expired;
    const errors: Error[] = [];
    const client = stage.client({ url: stage.relay.url, site: "s1", token: "mine", onError: (error) => errors.push(error) });
    client.subscribe("T", () => {});
    await state(client, "failed");
    stage.relay.admit = () => undefined;
    await stage.oneMore();
    expect(stage.relay.auths).to.have.length(2);
    expect(client.error?.message).to.equal("too old; there is no way to get a new token");
    expect(errors).to.deep.equal([client.error]);
  });

  it("stop the client at once where the refusal is for good", async () => {
    stage.relay.admit = () => ({ code: "wrong-site", message: "not yours", retry: "never" });
    const client = stage.client({ onError: () => {} });
    client.subscribe("T", () => {});
    await state(client, "failed");
    expect(client.error).to.include({ code: "wrong-site" });
    stage.relay.admit = () => undefined;
    await stage.oneMore();
    expect(stage.relay.auths).to.have.length(2);
  });

  it("of a subscription: a fresh one at once, then with backoff", async () => {
    let refusals = 3;
    stage.relay.subscribe = (item) => (refusals-- > 0 ? refused(item, "token-expired", "refresh") : confirmed(item));
    await stage.client().subscribe("T", () => {}).ready;
    expect(stage.relay.subscribes.flat().map(({ token }) => token)).to.deep.equal([1, 2, 3, 4].map((n) => `subscribe token ${n}`));
  });

  it("of a subscription for good: it fails, `ready` rejects, and nobody has to look", async () => {
    stage.relay.subscribe = (item) => refused(item, "forbidden", "never");
    const errors: Error[] = [];
    const client = stage.client({ onError: (error) => errors.push(error) });
    const subscription = client.subscribe("T", () => {});
    await until(() => errors.length === 1);
    expect(subscription.error).to.include({ code: "forbidden" }).and.to.equal(errors[0]);
    expect(client.state).to.equal("connected");
    stage.relay.subscribe = (item) => confirmed(item);
    await client.subscribe("T", () => {}).ready;
  });
});

describe("the application's own token getters", () => {
  const stage = useStage();
  const where = (): { url: string; site: string } => ({ url: stage.relay.url, site: "s1" });

  it("are asked for all subscriptions of a tick at once, and for the connection", async () => {
    const asked: unknown[] = [];
    const client = stage.client({
      ...where(),
      getConnectionToken: async () => "ct",
      getSubscribeToken: (requests) => {
        asked.push(requests);
        return { token: "st" };
      },
    });
    await Promise.all([1, 2].map((id) => client.subscribe("T", { id }, () => {}).ready));
    expect(asked).to.deep.equal([[1, 2].map((id) => ({ topic: "T", filter: { id } }))]);
    expect(stage.relay.auths[0]?.token).to.equal("ct");
    expect(stage.relay.subscribes).to.have.length(1);
    expect(stage.relay.tokenRequests).to.deep.equal([]);
  });

  it("are asked for no more at once than one token can hold", async () => {
    const lengths: number[] = [];
    const client = stage.client({
      ...where(),
      getSubscribeToken: (requests) => {
        lengths.push(Buffer.from(JSON.stringify(requests)).toString("base64url").length);
        return "st";
      },
    });
    await Promise.all(Array.from({ length: 400 }, (_, id) => client.subscribe("Contact_Updated_Topic", { id }, () => {}).ready));
    expect(lengths).to.have.length(3);
    expect(Math.max(...lengths)).to.be.below(15_000);
  });

  it("may give url and site too, and no subscribe token at all", async () => {
    const client = stage.client({
      url: stage.relay.url,
      getConnectionToken: () => ({ token: "ct", site: "s7" }),
      getSubscribeToken: () => null,
    });
    await client.subscribe("T", () => {}).ready;
    expect(stage.relay.socket.nsp.name).to.equal("/site/s7");
    expect(stage.relay.subscribes[0]?.[0]).not.to.have.any.keys("token", "ticket");
  });

  it("that throw, reject or take their time cost no connection, and others go on", async () => {
    const failures = [() => Promise.reject(new Error("x")), (): string => JSON.parse("{") as string];
    let answer: ((token: string) => void) | undefined;
    const client = stage.client({
      ...where(),
      getConnectionToken: () => "ct",
      getSubscribeToken: ([request]) => {
        if (request?.topic === "Good") return "st";
        return failures.shift()?.() ?? new Promise((resolve) => (answer = resolve));
      },
    });
    const states = statesOf(client);
    const bad = client.subscribe("Bad", () => {});
    await until(() => answer !== undefined);
    await client.subscribe("Good", () => {}).ready;
    answer?.("late");
    await bad.ready;
    expect(stage.relay.subscribes.flat().map(({ topic, token }) => [topic, token])).to.deep.equal([
      ["Good", "st"],
      ["Bad", "late"],
    ]);
    expect(states).to.deep.equal(["connecting", "connected"]);
  });

  it("mean `off` where nobody is signed in", async () => {
    const client = stage.client({ ...where(), getConnectionToken: () => null });
    client.connect();
    await state(client, "off");
  });

  it("are not needed: without them subscriptions go out bare, on grants or hooks", async () => {
    const client = stage.client({ ...where(), data: { from: "here" } });
    await client.subscribe("T", () => {}).ready;
    expect(stage.relay.auths[0]).to.deep.equal({ v: 1, client: client.id, data: { from: "here" } });
    expect(stage.relay.subscribes[0]?.[0]).not.to.have.any.keys("token", "ticket");
  });
});

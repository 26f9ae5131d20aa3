import { expect } from "chai";
import type { BellwireError } from "@bellwire/protocol";
import { connectToken, subscribeToken } from "../support/tokens.js";
import type { RawClient } from "../support/socket.js";
import type { TestRelay } from "@bellwire/server/testing";
import { Stage } from "./stage.js";

const soon = (seconds: number): number => Date.now() / 1000 + seconds;

/** The arguments of the next event of a name. */
function next<T>(client: RawClient, event: string): Promise<T> {
  return new Promise((resolve) => void client.socket.once(event, resolve));
}

function gone(client: RawClient): Promise<number> {
  return new Promise((resolve) => void client.socket.once("disconnect", () => resolve(Date.now() / 1000)));
}

describe("until", function () {
  this.timeout(15_000);
  const stage = Stage.forEachTest();

  /** Waits until another connection, whose end is later than the 1.5 s of those before it, was ended by the relay. */
  async function pastFirstEnd(relay: TestRelay): Promise<void> {
    await gone(await stage.connect(relay, { claims: { until: soon(1.8) } }));
  }

  it("ends a connection to the second, after it was announced, and says token-expired", async () => {
    const relay = await stage.relay();
    const until = soon(2.2);
    const client = await stage.connect(relay, { claims: { until } });
    expect((await client.hello).until).to.equal(until);
    const expiring = next<{ until: number; ids?: string[] }>(client, "expiring");
    const bye = next<{ code: string; retry: string }>(client, "bye");
    const end = gone(client);
    const events: string[] = [];
    client.socket.onAny((event: string) => void (["expiring", "bye"].includes(event) && events.push(event)));
    expect(await expiring).to.deep.equal({ until });
    expect(await bye).to.include({ code: "token-expired", retry: "refresh" });
    expect(events).to.deep.equal(["expiring", "bye"]);
    expect(await end, "not before its time").to.be.at.least(until);
  });

  it("of a connection is moved by a refresh with a fresh token of the same user", async () => {
    const relay = await stage.relay();
    const client = await stage.connect(relay, { claims: { until: soon(1.5) } });
    const tickets = next<[string | null, string][]>(client, "tickets");
    const later = soon(600);
    const reply = await client.emit("refresh", { token: connectToken(relay.appKey, { until: later }) });
    expect(reply).to.deep.equal({ until: later });
    expect((await tickets).map(([id]) => id)).to.deep.equal([null]);
    const other = await client.emit<{ error: BellwireError }>("refresh", { token: connectToken(relay.appKey, { sub: "somebody else" }) });
    expect(other.error.code).to.equal("forbidden");
    await pastFirstEnd(relay);
    expect(client.socket.connected).to.equal(true);
  });

  it("of what the connection's own grants allow moves with the connection's", async () => {
    const relay = await stage.relay();
    const grants = [{ topic: "News", filter: {} }];
    const client = await stage.connect(relay, { claims: { until: soon(1.5), grants } });
    const { results } = await client.emit<{ results: object[] }>("subscribe", [{ id: "1", topic: "News" }]);
    expect(results[0]).to.include({ id: "1", resync: false });
    const tickets = next<[string | null, string][]>(client, "tickets");
    await client.emit("refresh", { token: connectToken(relay.appKey, { until: soon(600), grants }) });
    expect((await tickets).map(([id]) => id)).to.have.members([null, "1"]);
    await pastFirstEnd(relay);
    expect(relay.relay.subscriptions.count).to.equal(1);
  });

  it("of a connection can't be moved without a token where there is nobody to ask", async () => {
    const relay = await stage.relay();
    const client = await stage.connect(relay);
    for (const request of [{}, undefined, []]) {
      expect((await client.emit<{ error: BellwireError }>("refresh", request)).error.code).to.equal("token-missing");
    }
    expect((await client.emit<{ error: BellwireError }>("refresh", 5)).error.code).to.equal("bad-request");
  });

  it("ends a subscription to the second, and leaves the others", async () => {
    const relay = await stage.relay();
    const client = await stage.connect(relay);
    const until = soon(1.6);
    const token = subscribeToken(relay.appKey, { until, grants: [{ topic: "Short", filter: {} }] });
    await client.subscribe({ id: "short", topic: "Short", token }, { id: "long", topic: "Long" });
    const expiring = next<{ until: number; ids?: string[] }>(client, "expiring");
    const ended = next<{ id: string; topic: string; error: { code: string } }>(client, "unsubscribed");
    expect(await expiring).to.deep.equal({ until, ids: ["short"] });
    const { id, topic, error } = await ended;
    expect([id, topic, error.code]).to.deep.equal(["short", "Short", "token-expired"]);
    expect(Date.now() / 1000, "not before its time").to.be.at.least(until);
    expect(relay.relay.subscriptions.count).to.equal(1);
  });

  it("of a subscription is moved by a refresh, each item for itself", async () => {
    const relay = await stage.relay();
    const client = await stage.connect(relay);
    const until = soon(1.5);
    const grants = [{ topic: "News", filter: {} }];
    await client.subscribe({ id: "1", topic: "News", token: subscribeToken(relay.appKey, { until, grants }) });
    const later = soon(600);
    const { results } = await client.emit<{ results: Record<string, unknown>[] }>("refresh", {
      subscriptions: [
        { id: "1", token: subscribeToken(relay.appKey, { until: later, grants }) },
        { id: "none", token: subscribeToken(relay.appKey, { until: later, grants }) },
      ],
    });
    expect(results[0]).to.include({ id: "1", until: later }).and.have.property("ticket").that.is.a("string");
    expect((results[1] as { error: { code: string } }).error.code).to.equal("not-found");
    const wrong = await client.emit<{ results: { error?: { code: string } }[] }>("refresh", {
      subscriptions: [{ id: "1", token: subscribeToken(relay.appKey, { grants: [{ topic: "Other", filter: {} }] }) }],
    });
    expect(wrong.results[0]?.error?.code).to.equal("forbidden");
    await pastFirstEnd(relay);
    expect(relay.relay.subscriptions.count).to.equal(1);
  });
});

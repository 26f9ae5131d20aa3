import { expect } from "chai";
import type { Client } from "@bellwire/client";
import { Identity } from "../../client/src/identity.js";
import { confirmed } from "./fake-relay.js";
import { heard, settled, state, until, useStage } from "./setup.js";

const jwt = (claims: object): string => `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;
const connect = (sub: string, more: object = {}): string => jwt({ aud: "bellwire:connect", site: "s1", sub, ...more });

describe("whom a page is signed in as", () => {
  it("is known by the tokens' site and user, and by the session of who is anonymous", () => {
    const identity = new Identity();
    const tokens = [
      connect("ann"),
      connect("ann", { sid: "2", aud: ["bellwire:subscribe"] }),
      "opaque",
      undefined,
      jwt({ aud: "https://elsewhere.example", sub: "a1b2" }),
      connect("\u00e4nn\u{1F514}?>"),
      connect("\u00e4nn\u{1F514}?>"),
      connect("\u00e4nn\u{1F514}?>", { site: "s2" }),
      connect("", { sid: "1" }),
      jwt({ aud: "bellwire:connect", site: "s1", sid: "1" }),
      connect("", { sid: "2" }),
      connect("ann"),
    ];
    expect(tokens.map((token) => identity.isNewToken(token))).to.deep.equal([
      ...[false, false, false, false, false],
      ...[true, false, true, true, false, true, true],
    ]);
  });

  it("is news once, whether a token or a hello says so first", () => {
    const identity = new Identity();
    expect(identity.isNewHello("/site/s1", { user: "ann", session: "1" })).to.equal(false);
    expect(identity.isNewHello("/site/s1", { user: "ann", session: "2" })).to.equal(false);
    expect(identity.isNewHello("/site/s1", { user: "ben", session: "2" })).to.equal(true);
    expect(identity.isNewToken(connect("ann"))).to.equal(false);
    expect(identity.isNewToken(connect("ben"))).to.equal(true);
    expect(identity.isNewHello("/site/s1", { user: "mapped", session: null })).to.equal(false);
    expect(identity.isNewHello("/site/s2", { user: "mapped", session: null })).to.equal(true);
    expect(identity.isNewHello("/site/s2", { user: null, session: "1" })).to.equal(true);
    expect(identity.isNewHello("/site/s2", { user: null, session: "2" })).to.equal(true);
  });
});

describe("who signs in next in a page", () => {
  const stage = useStage();
  let first = heard();
  beforeEach(() => {
    first = heard();
  });

  /** Ann's session: she has heard a message, and the server holds a subscription for her. `tokens`: opaque where undefined. */
  async function ann(token?: (user: string) => string): Promise<Client> {
    signIn("ann", token);
    const client = stage.client({ onError: () => {} });
    await client.subscribe("T", { id: 1 }, first).ready;
    stage.relay.messages("T", [11, 0, { id: 1, secret: "ann's" }]);
    stage.relay.socket.emit("subscribed", { id: "$1", topic: "News", filter: {}, epoch: "e1", offset: 3, messages: [], resync: false });
    await first.count(1);
    return client;
  }

  function signIn(user: string, token: (user: string) => string = () => "opaque"): void {
    stage.relay.hello = { ...stage.relay.hello, user, ticket: `ticket of ${user}` };
    stage.relay.subscribe = (item) => confirmed(item, item.since === null ? { offset: 20, resync: true } : {});
    stage.relay.answer = ({ subscriptions }) => ({
      body: {
        enabled: true,
        url: stage.relay.url,
        site: "s1",
        token: token(user),
        ...(subscriptions === undefined ? {} : { subscribeToken: `${user} may`, results: subscriptions }),
      },
    });
  }

  /** Nothing of Ann was shown to the relay, or told to anybody who came after her, but for "fetch again". */
  function expectNothingOfAnn(client: Client, later: ReturnType<typeof heard>): void {
    expect(client.user).to.equal("ben");
    expect(JSON.stringify([stage.relay.auths.at(-1), stage.relay.subscribes.at(-1)])).not.to.contain("ticket");
    expect(stage.relay.auths.at(-1)).not.to.have.property("since");
    expect(stage.relay.subscribes.at(-1)?.map(({ token, since }) => [token, since])).to.deep.equal([["ben may", null]]);
    expect(first.all.slice(1)).to.deep.equal([{ resync: true, topic: "T", data: { id: 1 } }]);
    expect(later.all.filter((event) => !event.resync)).to.deep.equal([]);
  }

  it("hears nothing of the one before while the endpoint refuses them", async () => {
    const client = await ann();
    client.close();
    expect([client.user, client.session]).to.deep.equal([undefined, undefined]);
    stage.relay.answer = () => ({ status: 403 });
    const before = stage.relay.tokenRequests.length;
    client.connect();
    const later = heard();
    const subscription = client.subscribe("T", { id: 1 }, later);
    await until(() => stage.relay.tokenRequests.length >= before + 3);
    expect([later.all, subscription.state, client.user]).to.deep.equal([[], "pending", undefined]);
    signIn("ben");
    await subscription.ready;
    await first.count(2);
    expectNothingOfAnn(client, later);
  });

  it("is noticed by the relay's hello, without close()", async () => {
    const client = await ann();
    signIn("ben");
    stage.relay.socket.emit("bye", { code: "revoked", message: "", retry: "refresh" });
    await state(client, "waiting");
    const later = heard();
    const asked = client.publish("T", { by: "ann" }).catch((error: Error) => error);
    const subscription = client.subscribe("T", { id: 1 }, later);
    await subscription.ready;
    await first.count(2);
    expect(await asked)
      .to.include({ code: "unavailable" })
      .and.have.property("message")
      .that.contains("Somebody else");
    expect(stage.relay.subscribes.at(-1)?.map(({ since }) => since)).to.deep.equal([null]);
    expect(later.all.filter((event) => !event.resync)).to.deep.equal([]);
    expect(client.user).to.equal("ben");
  });

  it("is noticed by the token of a new subscription, and the connection is made anew as them", async () => {
    const client = await ann(connect);
    signIn("ben", connect);
    const states: unknown[] = [];
    client.onState((now) => states.push([now, client.user]));
    const later = heard();
    await client.subscribe("Other", later).ready;
    await first.count(2);
    expect(states).to.deep.equal([
      ["waiting", undefined],
      ["connecting", undefined],
      ["connected", "ben"],
    ]);
    expect(stage.relay.auths.at(-1)).to.deep.equal({ v: 1, client: client.id, token: connect("ben") });
    const sent = stage.relay.subscribes.slice(1).flat();
    expect(sent.map(({ topic, token, ticket, since }) => [topic, token, ticket, since])).to.have.deep.members([
      ["T", "ben may", undefined, null],
      ["Other", "ben may", undefined, undefined],
    ]);
  });

  it("is noticed by the token with which a page comes back", async () => {
    const client = await ann(connect);
    signIn("ben", connect);
    stage.relay.socket.emit("bye", { code: "token-expired", message: "", retry: "refresh" });
    await first.count(2);
    expectNothingOfAnn(client, heard());
  });

  it("may be the same: then nothing is lost", async () => {
    const client = await ann(connect);
    stage.relay.socket.emit("bye", { code: "token-expired", message: "", retry: "refresh" });
    await until(() => stage.relay.subscribes.length === 2);
    expect(stage.relay.subscribes[1]?.[0]?.since).to.deep.equal({ epoch: "e1", offset: 11 });
    expect(stage.relay.auths[1]?.since).to.deep.equal([{ topic: "News", filter: {}, epoch: "e1", offset: 3 }]);
    const later = heard();
    await client.subscribe("T", { id: 1 }, later).ready;
    await settled(client);
    expect(later.all.map((event) => event.resync ?? [event.offset, event.replay])).to.deep.equal([[11, true]]);
    expect(first.all).to.have.length(1);
  });
});

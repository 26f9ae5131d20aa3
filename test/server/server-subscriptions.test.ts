import { expect } from "chai";
import type { ServerSubscribed, SubscribeResult, WireError } from "@bellwire/protocol";
import type { RawClient } from "../support/socket.js";
import { connectToken } from "../support/tokens.js";
import { codeOf, eventually, publish, request, Stage } from "./stage.js";

interface Unsubscribed {
  readonly id: string;
  readonly topic: string;
  readonly filter: object;
  readonly error: WireError;
}

/** What a client is told of subscriptions that the server makes. */
function told(client: RawClient): { subscribed: ServerSubscribed[]; unsubscribed: Unsubscribed[] } {
  const heard = { subscribed: [] as ServerSubscribed[], unsubscribed: [] as Unsubscribed[] };
  client.socket.on("subscribed", (one: ServerSubscribed) => void (one.topic.startsWith("$") || heard.subscribed.push(one)));
  client.socket.on("unsubscribed", (one: Unsubscribed) => void heard.unsubscribed.push(one));
  return heard;
}

describe("a subscription that the server can't make", () => {
  const stage = Stage.forEachTest();

  it("is told with its error, counted, and made when there is room", async () => {
    const relay = await stage.relay({ file: { limits: { subscriptionsPerConnection: 1 } } });
    const client = stage.client(relay, { claims: { subscriptions: [{ topic: "first" }, { topic: "second", filter: { id: 5 } }] } });
    const heard = told(client);
    await client.hello;
    await eventually(() => heard.unsubscribed.length === 1 && heard.subscribed.length === 1, "one is made, one is not");
    expect(heard.unsubscribed[0]).to.deep.include({ topic: "second", filter: { id: 5 } });
    expect(heard.unsubscribed[0]?.error).to.include({ code: "limit", retry: "later" });
    const metrics = async (): Promise<string> => (await request(`${relay.httpUrl}/metrics`)).text;
    expect(await metrics()).to.match(/^bellwire_refusals_total\{code="limit"\} [1-9]/m);
    await client.emit("unsubscribe", [heard.subscribed[0]?.id]);
    await eventually(() => heard.subscribed.length === 2, "it is tried again", 10_000);
    expect(heard.subscribed[1]).to.deep.include({ topic: "second", filter: { id: 5 } });
    await publish(relay, "second", { id: 5 });
    await client.until(() => client.messages("second").length === 1);
  });

  it("begins where the client was before, once there is room", async () => {
    const relay = await stage.relay({ file: { limits: { subscriptionsPerConnection: 1 } } });
    const { epoch, offset } = await publish(relay, "second", { n: 1 });
    for (const n of [2, 3]) await publish(relay, "second", { n });
    const token = connectToken(relay.appKey, { subscriptions: [{ topic: "first" }, { topic: "second" }] });
    const client = stage.client(relay, { auth: { v: 1, token, since: [{ topic: "second", epoch, offset }] } });
    const heard = told(client);
    await client.hello;
    await eventually(() => heard.unsubscribed.length === 1, "one is not made");
    await client.emit("unsubscribe", [heard.subscribed[0]?.id]);
    await eventually(() => heard.subscribed.length === 2, "it is tried again", 10_000);
    expect(heard.subscribed[1]).to.deep.include({ topic: "second", resync: false });
    expect(heard.subscribed[1]?.messages.map(([, , data]) => data)).to.deep.equal([{ n: 2 }, { n: 3 }]);
  });

  it("fails no less loudly at the last step: where a topic has no room for another combination of keys", async () => {
    const relay = await stage.relay();
    const crowd = await stage.connect(relay, { claims: { grants: [{ topic: "*" }] } });
    const items = Array.from({ length: 64 }, (_, i) => ({ id: `${i}`, topic: "busy", filter: { [`key${i}`]: 1 } }));
    const { results } = await crowd.emit<{ results: SubscribeResult[] }>("subscribe", items);
    expect(results.map(codeOf)).to.deep.equal(items.map(() => "accepted"));
    const client = stage.client(relay, { claims: { subscriptions: [{ topic: "busy", filter: { another: 1 } }] } });
    const heard = told(client);
    await client.hello;
    await eventually(() => heard.unsubscribed.length === 1, "the client is told");
    expect(heard.unsubscribed[0]?.error).to.include({ code: "limit" });
    expect(relay.relay.stats.refused.get("limit")).to.be.at.least(1);
    crowd.close();
    await eventually(() => heard.subscribed.length === 1, "it is tried again", 10_000);
  });
});

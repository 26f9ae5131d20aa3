import { expect } from "chai";
import type { Client } from "@bellwire/client";
import { until, useStage } from "./setup.js";

/** A hundredth of the usual waits, so that a minute's outage passes in less than a second. */
const SCALED = { delays: [10, 20, 40, 80, 160, 300], random: () => 0.5 + Math.random() / 2 };
/** A minute's worth, since the waits are 30 s in the end. */
const ATTEMPTS = 8;

describe("50 clients through an outage of a minute", function () {
  this.timeout(60_000);
  const stage = useStage();
  const down = { code: "unavailable", message: "down", retry: "later" };

  /** Lets all of them try in vain, then none. Returns how many token requests that took, and the way back. */
  async function outage(clients: readonly Client[]): Promise<{ during: number; after: number }> {
    await Promise.all(clients.map((client) => client.subscribe("T", () => {}).ready));
    const before = stage.relay.tokenRequests.length;
    const tries = new Map<unknown, number>();
    stage.relay.admit = ({ client }) => {
      tries.set(client, (tries.get(client) ?? 0) + 1);
      return down;
    };
    for (const socket of stage.relay.sockets) socket.conn.close(true);
    await until(() => tries.size === clients.length && Math.min(...tries.values()) >= ATTEMPTS, 20_000);
    const during = stage.relay.tokenRequests.length - before;
    const subscribed = stage.relay.subscribes.length;
    stage.relay.admit = () => undefined;
    await until(() => stage.relay.subscribes.length === subscribed + clients.length, 20_000);
    // They came back with what they had.
    expect(stage.relay.auths.slice(-clients.length).every(({ ticket }) => ticket !== undefined)).to.equal(true);
    return { during, after: stage.relay.tokenRequests.length - before - during };
  }

  it("costs the token endpoint one request each, for where the relay is, and none after it", async () => {
    expect(await outage(Array.from({ length: 50 }, () => stage.client({ reconnect: SCALED })))).to.deep.equal({ during: 50, after: 0 });
  });

  it("costs no more where the endpoint fails too", async () => {
    const clients = Array.from({ length: 50 }, () => stage.client({ reconnect: SCALED }));
    stage.relay.answer = () => (stage.relay.subscribes.length < 50 ? undefined : { status: 503 });
    expect(await outage(clients)).to.deep.equal({ during: 50, after: 0 });
  });

  it("costs nothing where the url is known", async () => {
    const clients = Array.from({ length: 50 }, () =>
      stage.client({ endpoint: stage.relay.endpoint, url: stage.relay.url, reconnect: SCALED }),
    );
    expect(await outage(clients)).to.deep.equal({ during: 0, after: 0 });
  });
});

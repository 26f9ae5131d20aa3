import { expect } from "chai";
import type { SubscribeResult } from "@bellwire/protocol";
import type { RawClient } from "../support/socket.js";
import { Attacked } from "./bounds.js";
import { codeOf, eventuallyAsked } from "./stage.js";

describe("rooms of one connection", () => {
  let relay: Attacked;

  beforeEach(async () => {
    relay = await Attacked.start();
  });

  afterEach(() => relay.close());

  const values = Array.from({ length: 16 }, (_, i) => i);
  const wide = (count: number, from = 0): object[] =>
    Array.from({ length: count }, (_, i) => ({
      id: `i${from + i}`,
      topic: "t",
      filter: { id: 5, a: values, b: values.map((b) => b + from + i) },
    }));

  async function subscribe(client: RawClient, items: object[]): Promise<SubscribeResult[]> {
    return (await client.emit<{ results: SubscribeResult[] }>("subscribe", items)).results;
  }

  it("stall nobody, however many a frame asks for, and whether they are left one by one or all at once", async () => {
    const client = await relay.connect({ claims: { grants: [{ topic: "t", filter: { id: 5 } }] } });
    await subscribe(client, [{ id: "warm", topic: "t", filter: { id: 5 } }]);
    await relay.during(async () => {
      await subscribe(client, wide(1000));
      await client.emit(
        "unsubscribe",
        Array.from({ length: 300 }, (_, i) => `i${i}`),
      );
      client.close();
      await eventuallyAsked(async () => (await relay.spent()).subscriptions <= 1, "everything has ended");
    });
  });

  it("are at most 5,000: past them it is told so, and an unsubscribe makes room", async () => {
    const client = await relay.connect();
    const results = await subscribe(client, wide(25));
    expect(results.map(codeOf)).to.deep.equal([...Array<string>(19).fill("accepted"), ...Array<string>(6).fill("limit")]);
    expect(results[20]).to.have.nested.property("error.message").that.includes("5000").and.includes("rooms");
    await client.emit("unsubscribe", ["i0"]);
    expect((await subscribe(client, wide(2, 100))).map(codeOf)).to.deep.equal(["accepted", "limit"]);
    expect((await subscribe(client, [{ id: "one", topic: "t", filter: { id: 1 } }])).map(codeOf)).to.deep.equal(["accepted"]);
  });
});

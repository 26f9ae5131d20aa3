import { expect } from "chai";
import type { SubscribeResult, Subscribed } from "@bellwire/protocol";
import { Attacked } from "./bounds.js";
import { subscribed } from "./stage.js";

const MESSAGES = 1000;
const BYTES = 1000;

describe("the answer to one frame", () => {
  let relay: Attacked;

  before(async () => {
    relay = await Attacked.start();
    const data = (n: number): object => ({ n, text: "x".repeat(BYTES) });
    for (let n = 0; n < MESSAGES; n += 100) {
      await relay.publish(
        "attacker",
        Array.from({ length: 100 }, (_, i) => ({ topic: "long", data: data(n + i) })),
      );
    }
  });

  after(() => relay.close());

  it("holds no more than 5,000 messages and 2 MiB, whatever it asks for: the rest is to refetch", async () => {
    const client = await relay.connect();
    const [first] = await client.subscribe({ id: "first", topic: "long", replay: false });
    const since = { epoch: subscribed(first).epoch, offset: 0 };
    const items = Array.from({ length: 500 }, (_, i) => ({ id: `i${i}`, topic: "long", since }));
    let results: SubscribeResult[] = [];
    const before = (await relay.spent(true)).peak;
    const { peak } = await relay.during(async () => {
      ({ results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", items));
    });
    const answers = results.map((result): Subscribed => subscribed(result));
    const whole = answers.filter(({ resync }) => !resync);
    expect(whole.map(({ messages }) => messages.length)).to.deep.equal([MESSAGES, MESSAGES]);
    expect(whole.map(({ messages }) => messages.map(([offset]) => offset))[1]).to.deep.equal(
      Array.from({ length: MESSAGES }, (_, i) => i + 1),
    );
    expect(answers.filter(({ resync, messages }) => resync && messages.length === 0)).to.have.length(498);
    expect(peak - before, "bytes of memory").to.be.below(100 * 1_048_576);
  });

  it("tells those that are to refetch where they are", async () => {
    const client = await relay.connect();
    const [first] = await client.subscribe({ id: "first", topic: "long", replay: false });
    const { epoch, offset } = subscribed(first);
    const items = Array.from({ length: 3 }, (_, i) => ({ id: `i${i}`, topic: "long", since: { epoch, offset: 0 } }));
    const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", items);
    expect(subscribed(results[2])).to.include({ epoch, offset, resync: true }).and.to.have.property("spread").that.is.a("number");
    await relay.publish("attacker", [{ topic: "long", data: { n: -1 } }]);
    await client.until(() => client.messages("long").length > 0);
    expect(client.messages("long").map(([at]) => at)).to.deep.equal([offset + 1]);
  });
});

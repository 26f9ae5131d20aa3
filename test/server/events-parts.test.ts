import { expect } from "chai";
import type { Subscribed, WireMessage } from "@bellwire/protocol";
import { RawJson } from "../../server/src/wire/raw-json.js";
import { beginningsOf } from "../../server/src/sse/answer.js";
import { Heard, MAX_ID_LENGTH, parseId } from "../../server/src/sse/heard.js";
import { retryAfter } from "../../server/src/sse/retry.js";

const message = (offset: number, text = "{}"): WireMessage => [offset, offset * 10, new RawJson(text) as never];

function result(offset: number, messages: readonly WireMessage[], more: object = {}): Subscribed {
  return { id: "0", epoch: "100", offset, ticket: null, messages, resync: false, ...more };
}

describe("what a stream begins with", () => {
  it("is each message of a topic once and in order, whichever of its subscriptions brought it", () => {
    const made = [
      { topic: "a", result: result(9, [message(5), message(8)]) },
      { topic: "b", result: result(2, []) },
      { topic: "a", result: result(9, [message(4), message(8)]) },
    ];
    const [a, b] = beginningsOf(made);
    expect(a?.messages.map(({ offset }) => offset)).to.deep.equal([4, 5, 8]);
    expect([a?.position, b?.position, a?.resync, b?.resync]).to.deep.equal([
      { epoch: "100", offset: 9 },
      { epoch: "100", offset: 2 },
      false,
      false,
    ]);
  });

  it("is a resync where one of a topic's subscriptions needs one, or they are not in one place", () => {
    for (const other of [result(9, [], { resync: true }), result(12, [])]) {
      const [a] = beginningsOf([
        { topic: "a", result: result(9, [message(5)]) },
        { topic: "a", result: other },
      ]);
      expect(a).to.deep.equal({ topic: "a", position: { epoch: "100", offset: 9 }, messages: [], resync: true });
    }
  });

  it("is bounded over all topics: what does not fit in is to be fetched again", () => {
    const large = JSON.stringify({ pad: "x".repeat(400_000) });
    const made = ["a", "b", "c", "d"].map((topic) => ({ topic, result: result(1, [message(1, topic === "d" ? "{}" : large)]) }));
    expect(beginningsOf(made).map(({ resync }) => resync)).to.deep.equal([false, false, true, false]);
  });

  it("is nowhere yet where the log could not be read", () => {
    const [a] = beginningsOf([{ topic: "a", result: result(0, [], { epoch: "", degraded: true }) }]);
    expect([a?.position, a?.messages]).to.deep.equal([undefined, []]);
  });
});

describe("the id of a stream", () => {
  it("says where it is in every topic, and what the server subscribed there", () => {
    const heard = new Heard();
    heard.set("a", { epoch: "100", offset: 3 });
    heard.set("$user", { epoch: "200", offset: 1 });
    heard.hold("$user", "{}");
    expect(heard.raise("a", { epoch: "100", offset: 2 })).to.equal(false);
    expect(heard.raise("a", { epoch: "100", offset: 4 })).to.equal(true);
    const returned = parseId(heard.id);
    expect([returned?.positionOf("a"), returned?.held("a", "{}"), returned?.held("$user", "{}")]).to.deep.include.members([false, true]);
    expect(returned?.positionOf("a")).to.deep.include({ epoch: "100", offset: 4 });
    heard.release("$user", "{}");
    expect(parseId(heard.id)?.held("$user", "{}")).to.equal(false);
  });

  it("is never longer than is read, and says nothing of what does not fit in", () => {
    const heard = new Heard();
    for (let i = 0; i < 1000; i++) heard.set(`${"long".repeat(20)}${i}`, { epoch: "1763700000000000", offset: i });
    expect(heard.id.length).to.be.within(4000, MAX_ID_LENGTH);
    const returned = parseId(heard.id);
    expect(returned?.positionOf(`${"long".repeat(20)}0`)).to.not.equal(undefined);
    expect(returned?.positionOf(`${"long".repeat(20)}999`)).to.equal(undefined);
  });

  it("is none where there is none, and garbage is one that knows nothing", () => {
    for (const none of [undefined, ""]) expect(parseId(none)).to.equal(undefined);
    for (const garbage of ["x", "W10", Buffer.from('[["a b","1",0]]').toString("base64url"), "A".repeat(MAX_ID_LENGTH + 1)]) {
      expect(parseId(garbage)?.positionOf("a"), garbage).to.equal(undefined);
    }
  });
});

describe("when a stream's client is to come back", () => {
  it("is spread, later where the relay says so, and not within a day where it never should", () => {
    expect([0, 1].map((random) => retryAfter({ retry: "later", code: "unavailable", after: undefined }, random))).to.deep.equal([
      1000, 5000,
    ]);
    expect(retryAfter({ retry: "later", code: "limit", after: 700 }, 0)).to.equal(1700);
    expect([0, 1].map((random) => retryAfter({ retry: "later", code: "draining", after: undefined }, random))).to.deep.equal([200, 2000]);
    expect(retryAfter({ retry: "never", code: "forbidden", after: undefined }, 0.5)).to.equal(86_400_000);
  });
});

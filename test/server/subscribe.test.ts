import { expect } from "chai";
import type { SubscribeResult, WireMessage } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import type { RawClient } from "../support/socket.js";
import { subscribeToken } from "../support/tokens.js";
import { codeOf, eventually, publish, Stage, subscribed } from "./stage.js";

const dataOf = (messages: readonly WireMessage[]): unknown[] => messages.map(([, , data]) => data);
const idsOf = (messages: readonly WireMessage[]): unknown[] => messages.map(([, , data]) => data.id);
const offsetsOf = (messages: readonly WireMessage[]): number[] => messages.map(([offset]) => offset);

describe("subscribing", () => {
  const stage = Stage.forEachTest();

  /** A client with a grant for everything, and how to subscribe with it. */
  async function client(relay: TestRelay): Promise<{ raw: RawClient; subscribe: (...items: object[]) => Promise<SubscribeResult[]> }> {
    const raw = await stage.connect(relay, { claims: { grants: [{ topic: "*" }] } });
    return { raw, subscribe: async (...items) => (await raw.emit<{ results: SubscribeResult[] }>("subscribe", items)).results };
  }

  describe("answers", () => {
    it("each item in order, whatever becomes of the others", async () => {
      const relay = await stage.relay();
      const { subscribe } = await client(relay);
      const results = await subscribe(
        { id: "a", topic: "news" },
        { id: "b", topic: "not a topic" },
        { id: "c", topic: "$user" },
        { id: "d", topic: "news", filter: { id: { gt: 1 } } },
        { id: "e", topic: "other", filter: { id: 1 } },
        { id: "a", topic: "third" },
        { id: "f" },
        { id: "g", topic: "news", since: { epoch: 5, offset: 1 } },
        { id: "h", topic: "news", since: { epoch: "1", offset: -1 } },
        { id: "i", topic: "news", since: "latest" },
      );
      expect(results.map(({ id }) => id)).to.deep.equal(["a", "b", "c", "d", "e", "a", "f", "g", "h", "i"]);
      const bad = "bad-request";
      expect(results.map(codeOf)).to.deep.equal(["accepted", bad, "forbidden", bad, "accepted", bad, bad, bad, bad, bad]);
    });

    it("with the head's position, a ticket and nothing else, on a topic that nothing was published to", async () => {
      const relay = await stage.relay();
      const { subscribe } = await client(relay);
      const { epoch, ticket, ...rest } = subscribed((await subscribe({ id: "a", topic: "news" }))[0]);
      expect(rest).to.deep.equal({ id: "a", offset: 0, messages: [], resync: false });
      expect(epoch).to.match(/^.{1,32}$/);
      expect(ticket).to.be.a("string");
      expect(await publish(relay, "news", {})).to.deep.equal({ topic: "news", epoch, offset: 1 });
    });

    it("with an error for the whole where there is no list of objects with ids", async () => {
      const relay = await stage.relay();
      const { raw, subscribe } = await client(relay);
      const wrong: unknown[] = [undefined, null, 5, "news", { id: "a", topic: "news" }, [5], [null], [[]], ["news"]];
      for (const id of [undefined, null, 5, "", "x".repeat(65), {}]) wrong.push([{ id, topic: "news" }]);
      for (const argument of wrong) {
        expect(codeOf(await raw.emit("subscribe", argument)), JSON.stringify(argument)).to.equal("bad-request");
      }
      expect(codeOf(await raw.emit("subscribe"))).to.equal("bad-request");
      expect(await subscribe()).to.deep.equal([]);
      for (const argument of [undefined, null, 5, "a", { id: "a" }, [5], [{ id: "a" }]]) {
        expect(codeOf(await raw.emit("unsubscribe", argument)), JSON.stringify(argument)).to.equal("bad-request");
      }
    });

    it("nobody who asked for no ack, and subscribes nevertheless", async () => {
      const relay = await stage.relay();
      const { raw, subscribe } = await client(relay);
      raw.socket.emit("subscribe", [{ id: "a", topic: "news" }]);
      raw.socket.emit("subscribe", "nonsense");
      await subscribe({ id: "b", topic: "other" });
      await publish(relay, "news", { id: 1 });
      await raw.until(() => raw.messages("news").length === 1);
      raw.socket.emit("unsubscribe", ["a"]);
      expect((await subscribe({ id: "a", topic: "news" })).map(codeOf)).to.deep.equal(["accepted"]);
    });

    it("alike with fields and trailing arguments that it does not know", async () => {
      const relay = await stage.relay();
      const { raw } = await client(relay);
      const item = { id: "a", topic: "news", colour: "red", params: [1], ticket: null, token: null };
      const reply = await raw.emit<{ results: SubscribeResult[] }>("subscribe", [item], { trailing: true }, 7);
      expect(reply.results.map(codeOf)).to.deep.equal(["accepted"]);
      expect(await raw.emit("unsubscribe", ["a", "never there"], { trailing: true })).to.deep.equal({});
    });
  });

  describe("by id", () => {
    it("takes ids of 1 to 64 characters, but none that begins with $", async () => {
      const relay = await stage.relay();
      const { subscribe } = await client(relay);
      const codes = await subscribe(
        { id: "x".repeat(64), topic: "news" },
        { id: "__proto__", topic: "news" },
        { id: "é ü 😀", topic: "news" },
        { id: "$", topic: "news" },
        { id: "$1", topic: "news" },
      );
      expect(codes.map(codeOf)).to.deep.equal(["accepted", "accepted", "accepted", "bad-request", "bad-request"]);
    });

    it("refuses one that is in use, and leaves the subscription that uses it as it is", async () => {
      const relay = await stage.relay();
      const { raw, subscribe } = await client(relay);
      await subscribe({ id: "a", topic: "news" }, { id: "end", topic: "end" });
      expect((await subscribe({ id: "a", topic: "other" })).map(codeOf)).to.deep.equal(["bad-request"]);
      await publish(relay, "other", { id: 1 });
      await publish(relay, "news", { id: 2 });
      await publish(relay, "end", {});
      await raw.until(() => raw.messages("end").length === 1);
      expect(idsOf(raw.messages("news"))).to.deep.equal([2]);
      expect(raw.messages("other")).to.deep.equal([]);
    });

    it("frees an id with the unsubscribe, and after a refusal", async () => {
      const relay = await stage.relay();
      const { raw, subscribe } = await client(relay);
      expect((await subscribe({ id: "a", topic: "$user" })).map(codeOf)).to.deep.equal(["forbidden"]);
      for (let round = 0; round < 3; round++) {
        expect((await subscribe({ id: "a", topic: `news.${round}` })).map(codeOf)).to.deep.equal(["accepted"]);
        expect(await raw.emit("unsubscribe", ["a"])).to.deep.equal({});
      }
      expect(relay.relay.subscriptions.count).to.equal(0);
    });

    it("is the same on another connection for another subscription", async () => {
      const relay = await stage.relay();
      const [one, two] = [await client(relay), await client(relay)];
      await one.subscribe({ id: "a", topic: "news" });
      expect((await two.subscribe({ id: "a", topic: "news" })).map(codeOf)).to.deep.equal(["accepted"]);
    });
  });

  describe("and ending it", () => {
    it("stops the messages before the ack, while others go on", async () => {
      const relay = await stage.relay();
      const { raw, subscribe } = await client(relay);
      await subscribe({ id: "a", topic: "news" }, { id: "b", topic: "end" });
      const storm = (from: number): Promise<unknown> =>
        Promise.all(Array.from({ length: 50 }, (_, i) => publish(relay, "news", { id: from + i })));
      await storm(0);
      const under = storm(100);
      await raw.emit("unsubscribe", ["a"]);
      const heard = raw.messages("news").length;
      await under;
      await storm(200);
      await publish(relay, "end", {});
      await raw.until(() => raw.messages("end").length === 1);
      expect(raw.messages("news")).to.have.length(heard);
      const offsets = offsetsOf(raw.messages("news"));
      expect(offsets).to.deep.equal(offsets.map((_, i) => i + 1));
    });

    it("leaves another subscription of the same topic, and what both asked for is heard once", async () => {
      const relay = await stage.relay();
      const { raw, subscribe } = await client(relay);
      await subscribe(
        { id: "a", topic: "news" },
        { id: "b", topic: "news", filter: { id: [1, 3] } },
        { id: "c", topic: "news", filter: { id: 3 } },
      );
      await publish(relay, "news", { id: 1 });
      await publish(relay, "news", { id: 2 });
      await raw.until(() => raw.messages("news").length >= 2);
      await raw.emit("unsubscribe", ["a"]);
      await publish(relay, "news", { id: 2 });
      await publish(relay, "news", { id: 3 });
      await raw.until(() => idsOf(raw.messages("news")).includes(3));
      expect(idsOf(raw.messages("news"))).to.deep.equal([1, 2, 3]);
    });

    it("cancels a subscribe under way, whose id is then free at once", async () => {
      const relay = await stage.relay();
      const { raw } = await client(relay);
      const first = raw.emit<{ results: SubscribeResult[] }>("subscribe", [{ id: "a", topic: "news" }]);
      const ended = raw.emit("unsubscribe", ["a"]);
      const second = raw.emit<{ results: SubscribeResult[] }>("subscribe", [{ id: "a", topic: "other" }]);
      expect(await ended).to.deep.equal({});
      expect((await second).results.map(codeOf)).to.deep.equal(["accepted"]);
      // The first may have been made before it was ended; what counts is that it is gone.
      await first;
      expect(relay.relay.subscriptions.count).to.equal(1);
      await publish(relay, "news", { id: 1 });
      await publish(relay, "other", { id: 2 });
      await raw.until(() => raw.messages("other").length === 1);
      expect(raw.messages("news")).to.deep.equal([]);
    });

    it("happens by itself when the connection goes, also to a subscribe under way", async () => {
      const relay = await stage.relay();
      const { raw, subscribe } = await client(relay);
      await subscribe({ id: "a", topic: "news" });
      raw.socket.emit("subscribe", [{ id: "b", topic: "other" }]);
      raw.close(); // the stage checks that nothing is left
    });
  });

  describe("with a filter", () => {
    it("hears what matches strictly, by every key, by any of a key's values", async () => {
      const relay = await stage.relay();
      const messages = [
        { n: 0, id: 5 },
        { n: 1, id: "5" },
        { n: 2, id: 5, type: "a" },
        { n: 3, id: 6, type: "b" },
        { n: 4, type: "a" },
        { n: 5, id: null },
        { n: 6, id: [5] },
        { n: 7, id: { a: 5 } },
        { n: 8, id: true },
        { n: 9, id: -0 },
        { n: 10 },
        { n: 11, id: "é" },
      ];
      const filters: [filter: unknown, heard: number[]][] = [
        [undefined, messages.map(({ n }) => n)],
        [[], messages.map(({ n }) => n)],
        [{ id: 5 }, [0, 2]],
        [{ id: "5" }, [1]],
        [{ id: [5, 6] }, [0, 2, 3]],
        [{ id: 5, type: "a" }, [2]],
        [{ id: [5, 6], type: ["a", "b"] }, [2, 3]],
        [{ type: "a" }, [2, 4]],
        [{ id: null }, [5]],
        [{ id: true }, [8]],
        [{ id: 0 }, [9]],
        [{ id: "e\u0301" }, []],
        [{ id: "é" }, [11]],
        [{ id: 9 }, []],
      ];
      const clients = await Promise.all(filters.map(() => client(relay)));
      await Promise.all(
        clients.map(({ subscribe }, i) => subscribe({ id: "a", topic: "news", filter: filters[i]?.[0] }, { id: "b", topic: "end" })),
      );
      for (const data of messages) await publish(relay, "news", data);
      await publish(relay, "end", {});
      for (const [i, { raw, subscribe }] of clients.entries()) {
        const [filter, heard] = filters[i] as [unknown, number[]];
        await raw.until(() => raw.messages("end").length === 1);
        expect(
          raw.messages("news").map(([, , data]) => data.n),
          JSON.stringify(filter),
        ).to.deep.equal(heard);
        // What is heard live and what is caught up with are the same.
        const epoch = raw.received[0]?.epoch;
        if (i > 0 && heard.length > 0) {
          const [again] = await subscribe({ id: "c", topic: "news", filter, since: { epoch, offset: 0 } });
          expect(dataOf(subscribed(again).messages)).to.deep.equal(dataOf(raw.messages("news")));
        }
      }
    });

    it("on several of its subscriptions hears what comes at once in one packet, in order and each message once", async () => {
      const relay = await stage.relay();
      const { raw, subscribe } = await client(relay);
      await subscribe(
        { id: "a", topic: "news", filter: { id: 1 } },
        { id: "b", topic: "news", filter: { type: "x" } },
        { id: "c", topic: "news", filter: { id: [1, 2] } },
      );
      const all = Array.from({ length: 60 }, (_, i) => ({ id: i % 5, type: i % 3 === 0 ? "x" : "y" }));
      // Past HTTP, so that they come in one turn.
      const append = (data: object, id: number): Promise<object> =>
        relay.relay.log.append(
          { site: "5", topic: "news", data: JSON.stringify(data), id: String(id), idempotent: false, retry: false },
          5000,
        );
      await Promise.all(all.map(append));
      await raw.until(() => raw.received.length > 0);
      await publish(relay, "news", { id: 1, last: true });
      await raw.until(() => raw.messages("news").some(([, , data]) => data.last === true));
      const expected = all.flatMap(({ id, type }, i) => (id === 1 || id === 2 || type === "x" ? [i + 1] : []));
      expect(offsetsOf(raw.messages("news"))).to.deep.equal([...expected, 61]);
      expect(raw.received).to.have.length(2);
    });
  });

  it("with a ticket or token that holds only for another topic opens nothing", async () => {
    const relay = await stage.relay();
    const raw = await stage.connect(relay);
    await eventually(() => relay.relay.feeds.size === 2, "the personal topics are open");
    const token = subscribeToken(relay.appKey, { grants: [{ topic: "mine" }] });
    const { results } = await raw.emit<{ results: SubscribeResult[] }>("subscribe", [{ id: "a", topic: "theirs", token }]);
    expect(results.map(codeOf)).to.deep.equal(["forbidden"]);
    expect(relay.relay.feeds.size).to.equal(2);
  });
});

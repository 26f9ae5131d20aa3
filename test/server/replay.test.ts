import { expect } from "chai";
import type { SubscribeResult, WireMessage } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import type { RawClient } from "../support/socket.js";
import { publish, Stage, subscribed } from "./stage.js";

const offsetsOf = (messages: readonly WireMessage[]): number[] => messages.map(([offset]) => offset);

describe("a subscription", () => {
  const stage = Stage.forEachTest();

  /** A client with a grant for everything, and how to subscribe with it. */
  async function client(relay: TestRelay): Promise<{ raw: RawClient; subscribe: (...items: object[]) => Promise<SubscribeResult[]> }> {
    const raw = await stage.connect(relay, { claims: { grants: [{ topic: "*" }] } });
    return { raw, subscribe: async (...items) => (await raw.emit<{ results: SubscribeResult[] }>("subscribe", items)).results };
  }

  describe("replays", () => {
    it("the last message that matches, the first time, and carries on after it", async () => {
      const relay = await stage.relay();
      const { raw, subscribe } = await client(relay);
      for (const id of [1, 2, 1, 3]) await publish(relay, "news", { id, of: "log" });
      const [all, one, none] = (
        await subscribe(
          { id: "a", topic: "news" },
          { id: "b", topic: "news", filter: { id: 1 } },
          { id: "c", topic: "news", filter: { id: 9 } },
        )
      ).map(subscribed);
      expect(all?.messages.map(([offset, , data]) => [offset, data])).to.deep.equal([[4, { id: 3, of: "log" }]]);
      expect(offsetsOf(one?.messages ?? [])).to.deep.equal([3]);
      expect(none?.messages).to.deep.equal([]);
      for (const result of [all, one, none]) expect(result).to.deep.include({ offset: 4, resync: false });
      await publish(relay, "news", { id: 1 });
      await raw.until(() => raw.messages("news").length === 1);
      expect(offsetsOf(raw.messages("news"))).to.deep.equal([5]);
    });

    it("nothing where it is told not to", async () => {
      const relay = await stage.relay();
      const { subscribe } = await client(relay);
      await publish(relay, "news", { id: 1 });
      const [without, with_] = (await subscribe({ id: "a", topic: "news", replay: false }, { id: "b", topic: "news", replay: true })).map(
        subscribed,
      );
      expect(without).to.deep.include({ offset: 1, messages: [], resync: false });
      expect(with_?.messages).to.have.length(1);
    });

    it("with the time of the publish", async () => {
      const relay = await stage.relay();
      const { subscribe } = await client(relay);
      const before = Date.now();
      await publish(relay, "news", {});
      const after = Date.now();
      const result = subscribed((await subscribe({ id: "a", topic: "news" }))[0]);
      expect(result.messages[0]?.[1]).to.be.within(before, after);
    });
  });

  describe("since a position", () => {
    async function published(relay: TestRelay): Promise<string> {
      let epoch = "";
      for (let id = 1; id <= 10; id++) ({ epoch } = await publish(relay, "news", { id, even: id % 2 === 0 }));
      return epoch;
    }

    it("brings exactly what came after it and matches", async () => {
      const relay = await stage.relay();
      const epoch = await published(relay);
      const { raw, subscribe } = await client(relay);
      const results = (
        await subscribe(
          { id: "a", topic: "news", since: { epoch, offset: 0 } },
          { id: "b", topic: "news", since: { epoch, offset: 4 } },
          { id: "c", topic: "news", filter: { even: true }, since: { epoch, offset: 4 } },
          { id: "d", topic: "news", filter: { id: [4, 5, 9] }, since: { epoch, offset: 4 }, replay: false },
          { id: "e", topic: "news", since: { epoch, offset: 10 } },
        )
      ).map(subscribed);
      const expected = [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [5, 6, 7, 8, 9, 10], [6, 8, 10], [5, 9], []];
      expect(results.map((result) => offsetsOf(result.messages))).to.deep.equal(expected);
      for (const result of results) expect(result).to.deep.include({ epoch, offset: 10, resync: false });
      await publish(relay, "news", { id: 11 });
      await raw.until(() => raw.messages("news").length === 1);
      expect(offsetsOf(raw.messages("news"))).to.deep.equal([11]);
    });

    it("misses and repeats nothing while messages keep coming", async () => {
      const relay = await stage.relay();
      const { epoch } = await publish(relay, "news", { id: 0 });
      let running = true;
      const storm = (async () => {
        for (let id = 1; running; id++) await publish(relay, "news", { id });
      })();
      for (let round = 0, since = 0; round < 20; round++) {
        const { raw, subscribe } = await client(relay);
        const { messages, offset } = subscribed((await subscribe({ id: "a", topic: "news", since: { epoch, offset: since } }))[0]);
        await raw.until(() => raw.messages("news").length > 0);
        const heard = [...offsetsOf(messages), ...offsetsOf(raw.messages("news")).filter((each) => each > offset)];
        expect(heard).to.deep.equal(heard.map((_, i) => since + 1 + i));
        since = heard[heard.length - 1] as number;
        raw.close();
      }
      running = false;
      await storm;
    });

    it("asks for a refetch where the position is unknown, of another epoch, or ahead of the log", async () => {
      const relay = await stage.relay();
      const epoch = await published(relay);
      const { subscribe } = await client(relay);
      const results = (
        await subscribe(
          { id: "a", topic: "news", since: null },
          { id: "b", topic: "news", since: { epoch: "1", offset: 4 } },
          { id: "c", topic: "news", since: { epoch: `${epoch}0`, offset: 4 } },
          { id: "d", topic: "news", since: { epoch, offset: 11 } },
          { id: "e", topic: "news", since: { epoch, offset: 2 ** 53 - 1 } },
          { id: "g", topic: "untouched", since: null },
          { id: "h", topic: "news", since: { epoch: "", offset: 0 } },
        )
      ).map(subscribed);
      for (const { id, messages, resync, spread } of results) {
        expect({ id, messages, resync }).to.deep.equal({ id, messages: [], resync: true });
        expect(spread, id).to.be.a("number").that.is.at.least(0);
      }
      expect(results.find(({ id }) => id === "a")).to.deep.include({ epoch, offset: 10 });
    });

    it("asks for a refetch where the log no longer reaches back that far", async () => {
      const relay = await stage.relay({ file: { topics: { news: { log: { messages: 5 } } } } });
      const epoch = await published(relay);
      const { subscribe } = await client(relay);
      const [gone, kept] = (
        await subscribe({ id: "a", topic: "news", since: { epoch, offset: 4 } }, { id: "b", topic: "news", since: { epoch, offset: 5 } })
      ).map(subscribed);
      expect(gone).to.deep.include({ messages: [], resync: true, offset: 10 });
      expect(kept?.resync).to.equal(false);
      expect(offsetsOf(kept?.messages ?? [])).to.deep.equal([6, 7, 8, 9, 10]);
    });
  });
});

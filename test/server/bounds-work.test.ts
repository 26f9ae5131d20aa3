import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import type { SubscribeResult, WireError } from "@bellwire/protocol";
import { COST, Work, WORK } from "../../server/src/pacing/work.js";
import { Attacked } from "./bounds.js";
import { codeOf } from "./stage.js";

describe("the work that a connection may ask for", () => {
  it("is never felt by a page with 500 components", () => {
    const work = new Work(WORK, 0);
    const spend = (units: number, at: number): void => {
      expect(work.spend(units, WORK, at)).to.equal(false);
      expect(work.owed(WORK, at)).to.equal(0);
    };
    // All at once, each with a filter of four values and 400 bytes of token, on a topic of its own with 1,000 messages to look through.
    spend(5 * (COST.packet + COST.frame) + 200 * COST.kibibyte, 0);
    for (let i = 0; i < 500; i++) spend(COST.item + 4 * COST.room + COST.topic, 0);
    // Then for an hour ten of them close and ten open every second, and look through the 100 messages that their topics hold.
    for (let second = 1; second <= 3600; second++) {
      spend(2 * (COST.packet + COST.frame) + 4 * COST.kibibyte, second * 1000);
      for (let i = 0; i < 10; i++) {
        spend(COST.item + 4 * COST.room + COST.topic + COST.ended + 100 / COST.messagesLookedAt, second * 1000);
      }
    }
  });

  it("comes back at a fixed rate, and too much debt ends it", () => {
    const work = new Work(WORK, 0);
    expect(work.spend(WORK.burst, WORK, 0)).to.equal(false);
    expect(work.owed(WORK, 0)).to.equal(1);
    expect(work.spend(WORK.perSecond - 1, WORK, 0)).to.equal(false);
    expect(work.owed(WORK, 0)).to.equal(1000);
    expect(work.owed(WORK, 1000)).to.equal(0);
    expect(work.spend(WORK.debt + 10, WORK, 1000)).to.equal(true);
  });

  describe("of a relay", function () {
    this.timeout(30_000);
    let relay: Attacked;

    before(async () => {
      relay = await Attacked.start();
      for (let n = 0; n < 10; n++) {
        await relay.publish(
          "attacker",
          Array.from({ length: 100 }, (_, i) => ({ topic: "long", data: { n: n * 100 + i } })),
        );
      }
    });

    after(() => relay.close());

    it("is paid for what replays look through, and past it an item is told when to come back", async () => {
      const client = await relay.connect();
      const items = Array.from({ length: 1000 }, (_, i) => ({ id: `i${i}`, topic: "long", filter: { n: -1 - i } }));
      let results: SubscribeResult[] = [];
      await relay.during(async () => {
        ({ results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", items));
      });
      const codes = results.map(codeOf);
      expect(codes.filter((code) => code === "limit")).to.have.length.within(500, 800);
      const { error } = results[codes.indexOf("limit")] as { error: WireError };
      expect(error).to.include({ code: "limit", retry: "later" });
      expect(error.after).to.be.within(1, 20_000);
      // It is told so before anything is done, and closed where it goes on.
      const closed = new Promise((resolve) => client.socket.once("disconnect", resolve));
      const bye = new Promise((resolve) => client.socket.once("bye", resolve));
      await relay.during(async () => {
        for (let n = 0; n < 5000; n++) client.socket.emit("subscribe", items.slice(0, 1));
        await closed;
      });
      expect(await bye).to.include({ code: "limit", retry: "later" });
    });

    it("is paid for events that the relay does not know: whoever sends many is read slowly, and refused", async () => {
      const client = await relay.connect();
      let answered: object = { error: { code: "not yet" } };
      await relay.during(async () => {
        for (let n = 0; n < 5000; n++) client.socket.emit("nothing", { n });
        client.socket.emit("unsubscribe", [], (reply: object) => (answered = reply));
        await pause(1000);
      });
      expect(codeOf(answered)).to.be.oneOf(["limit", "not yet"]);
    });
  });
});

import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import { createEmitter, type ErrorContext } from "@bellwire/emitter";
import { Turns } from "../../emitter/src/control/turns.js";
import { refusal, ScriptedTransport } from "./scripted-transport.js";

describe("a command of an emitter", () => {
  it("names one target, whatever the options hold", async () => {
    const transport = new ScriptedTransport();
    const site = createEmitter({ transport }).site("5");
    await site.user("ann").disconnect({ code: "revoked" });
    await site.session("s").subscribe("T", { b: [1], a: 2 });
    await site.client("c").unsubscribe();
    await site.user("ann").revoke({ topic: "T*", jti: "j", user: "bob" } as never);
    await site.revoke({ topic: "T", user: "bob" } as never);
    await site.unsubscribe("T");
    expect(transport.commands).to.deep.equal([
      { kind: "disconnect", site: "5", user: "ann", code: "revoked" },
      { kind: "subscribe", site: "5", session: "s", topic: "T", filter: { a: 2, b: 1 } },
      { kind: "unsubscribe", site: "5", client: "c" },
      { kind: "revoke", site: "5", user: "ann", jti: "j", topic: "T*", filter: {} },
      { kind: "revoke", site: "5", topic: "T", filter: {} },
      { kind: "unsubscribe", site: "5", topic: "T", filter: {} },
    ]);
  });

  it("is told again until it works, or the time is up", async () => {
    const transport = new ScriptedTransport("unavailable", new Error("odd"), "ok", "forbidden");
    const target = createEmitter({ transport }).site("5").user("ann");
    await target.disconnect();
    expect(transport.commands).to.have.length(3);
    expect((await refusal(target.disconnect())).code).to.equal("forbidden");
    const hanging = new ScriptedTransport("hang", "hang", "hang", "hang");
    const begun = performance.now();
    const error = await refusal(createEmitter({ transport: hanging, timeout: 300 }).site("5").user("ann").revoke());
    expect(error.code).to.equal("unavailable");
    expect(error.message).to.match(/^Whether the relays were told is unknown/);
    expect(performance.now() - begun).to.be.below(400);
  });

  it("is reported where nobody awaits it", async () => {
    const reports: ErrorContext[] = [];
    const events = new EventTarget();
    const next = once(events, "report");
    const onError = (_error: Error, context: ErrorContext): void => {
      reports.push(context);
      events.dispatchEvent(new Event("report"));
    };
    const emitter = createEmitter({ transport: new ScriptedTransport("forbidden"), onError });
    void emitter.site("5").user("ann").subscribe("T");
    await next;
    expect(reports).to.deep.equal([{ site: "5", command: "subscribe" }]);
    await emitter.close();
    expect((await refusal(emitter.site("5").user("ann").disconnect())).code).to.equal("unavailable");
  });
});

describe("turns", () => {
  it("are taken so many at a time, and in order for one key", async () => {
    const turns = new Turns(2);
    let running = 0;
    let most = 0;
    const done: string[] = [];
    const work = (key: string, name: string, ms: number): Promise<void> =>
      turns.take(key, async () => {
        most = Math.max(most, ++running);
        await pause(ms);
        running--;
        done.push(name);
        if (name === "fails") throw new Error(name);
      });
    const all = [
      work("a", "a1", 20),
      work("a", "a2", 1),
      work("b", "b1", 1),
      work("c", "fails", 1),
      work("c", "c2", 1),
      work("a", "a3", 1),
    ];
    const results = await Promise.allSettled(all);
    expect(results.map(({ status }) => status)).to.deep.equal([
      "fulfilled",
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
      "fulfilled",
    ]);
    expect(most).to.equal(2);
    expect(done.filter((name) => name.startsWith("a"))).to.deep.equal(["a1", "a2", "a3"]);
    expect(done.indexOf("b1")).to.be.below(done.indexOf("a2"));
  });
});

import { expect } from "chai";
import { BellwireError } from "@bellwire/protocol";
import { createEmitter, type PublishOptions } from "@bellwire/emitter";
import { refusal, ScriptedTransport } from "./scripted-transport.js";

const TOPIC = "Contact_Updated_Topic";

describe("a publish", () => {
  it("resolves to the position in the topic's log", async () => {
    const transport = new ScriptedTransport();
    const emitter = createEmitter({ transport });
    expect(await emitter.site("5").publish(TOPIC, { id: 5 })).to.deep.equal({ epoch: "e", offset: 1 });
    const [sent] = transport.publications;
    expect(sent).to.include({ site: "5", topic: TOPIC, data: '{"id":5}', idempotent: false, retry: false });
    expect(sent?.id).to.match(/^[0-9a-f-]{36}$/);
  });

  it("hands on the idempotency key as the id, and whom to leave out", async () => {
    const transport = new ScriptedTransport();
    await createEmitter({ transport })
      .site("5")
      .publish(TOPIC, {}, { idempotencyKey: "order 7", except: { client: "c1", user: undefined } });
    expect(transport.publications[0]).to.deep.include({ id: "order 7", idempotent: true, except: { client: "c1" } });
  });

  it("takes an empty array, and nothing at all, for {}", async () => {
    const transport = new ScriptedTransport();
    const site = createEmitter({ transport }).site("5");
    await site.publish(TOPIC, []);
    await site.publish(TOPIC);
    expect(transport.publications.map(({ data }) => data)).to.deep.equal(["{}", "{}"]);
  });

  it("measures data in bytes of UTF-8", async () => {
    const transport = new ScriptedTransport();
    const site = createEmitter({ transport, maxDataBytes: 20 }).site("5");
    await site.publish(TOPIC, { a: "é".repeat(6) });
    expect((await refusal(site.publish(TOPIC, { a: "é".repeat(7) }))).code).to.equal("too-large");
    expect(transport.attempts).to.have.length(1);
  });

  it("takes 4096 bytes by default, and not one more", async () => {
    const site = createEmitter({ transport: new ScriptedTransport() }).site("5");
    await site.publish(TOPIC, { a: "x".repeat(4096 - 8) });
    expect((await refusal(site.publish(TOPIC, { a: "x".repeat(4096 - 7) }))).code).to.equal("too-large");
  });

  describe("is refused without an attempt", () => {
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    const wrongData: [string, unknown][] = [
      ["a list", [1]],
      ["a text", "x"],
      ["a number", 5],
      ["a date", new Date(0)],
      ["a BigInt within", { id: 5n }],
      ["a cycle", cyclic],
      ["a function", () => undefined],
    ];
    for (const [what, data] of wrongData) {
      it(`with ${what} as data`, async () => {
        const transport = new ScriptedTransport();
        const error = await refusal(
          createEmitter({ transport })
            .site("5")
            .publish(TOPIC, data as object),
        );
        expect(error.code).to.equal("bad-request");
        expect(transport.attempts).to.deep.equal([]);
      });
    }

    const wrongOptions: [string, unknown][] = [
      ["an empty idempotency key", { idempotencyKey: "" }],
      ["a long idempotency key", { idempotencyKey: "x".repeat(129) }],
      ["a line break in the idempotency key", { idempotencyKey: "a\nb" }],
      ["a number as idempotency key", { idempotencyKey: 7 }],
      ["half a number as user", { except: { user: 5.5 } }],
      ["a name that except doesn't know", { except: { usr: "5" } }],
      ["a text as except", { except: "5" }],
      ["a text as options", "x"],
    ];
    for (const [what, options] of wrongOptions) {
      it(`with ${what}`, async () => {
        const site = createEmitter({ transport: new ScriptedTransport() }).site("5");
        expect((await refusal(site.publish(TOPIC, {}, options as PublishOptions))).code).to.equal("bad-request");
      });
    }

    it("to a site or topic that can't be, or is the server's", async () => {
      const emitter = createEmitter({ transport: new ScriptedTransport() });
      expect((await refusal(emitter.site("a/b").publish(TOPIC))).code).to.equal("bad-request");
      expect((await refusal(emitter.site(5.5).publish(TOPIC))).code).to.equal("bad-request");
      expect((await refusal(emitter.site("5").publish("no spaces"))).code).to.equal("bad-request");
      expect((await refusal(emitter.site("5").publish({} as never))).code).to.equal("bad-request");
      expect((await refusal(emitter.site("5").publish("$user"))).code).to.equal("forbidden");
    });
  });

  describe("to several topics", () => {
    it("gives a result for each, in order", async () => {
      const site = createEmitter({ transport: new ScriptedTransport("ok", "forbidden") }).site("5");
      const results = await site.publish(["a", "b", "$c", "d"], { id: 1 });
      expect(results).to.have.length(4);
      expect(results?.[0]).to.deep.equal({ topic: "a", epoch: "e", offset: 1 });
      expect(results?.[1]).to.have.nested.property("error.code", "forbidden");
      expect(results?.[2]).to.have.nested.property("error.code", "forbidden");
      expect(results?.[3]).to.deep.equal({ topic: "d", epoch: "e", offset: 1 });
    });

    it("rejects what is wrong for all of them", async () => {
      const site = createEmitter({ transport: new ScriptedTransport() }).site("5");
      expect((await refusal(site.publish(["a", "b"], { a: 1n }))).code).to.equal("bad-request");
      expect((await refusal(site.publish(Array<string>(1001).fill("a")))).code).to.equal("bad-request");
    });

    it("is nothing for no topics", async () => {
      expect(await createEmitter({ transport: new ScriptedTransport() }).site("5").publish([])).to.deep.equal([]);
    });
  });

  it("is retried with the same id, marked as a retry", async () => {
    const transport = new ScriptedTransport("unavailable", "timeout");
    expect(await createEmitter({ transport }).site("5").publish(TOPIC)).to.deep.equal({ epoch: "e", offset: 1 });
    expect(new Set(transport.publications.map(({ id }) => id)).size).to.equal(1);
    expect(transport.publications.map(({ retry }) => retry)).to.deep.equal([false, true, true]);
  });

  it("is not retried where that can't help", async () => {
    for (const code of ["forbidden", "bad-request", "too-large", "unsupported"] as const) {
      const transport = new ScriptedTransport(code);
      expect((await refusal(createEmitter({ transport }).site("5").publish(TOPIC))).code).to.equal(code);
      expect(transport.attempts).to.have.length(1);
    }
  });

  it("waits as long as a limit asks, where there is time", async () => {
    const limited = new BellwireError("limit", "slow down", { after: 120 });
    const transport = new ScriptedTransport(limited);
    const begin = performance.now();
    await createEmitter({ transport }).site("5").publish(TOPIC);
    expect(performance.now() - begin).to.be.at.least(110);

    const later = new ScriptedTransport(new BellwireError("limit", "slow down", { after: 60_000 }));
    const error = await refusal(createEmitter({ transport: later }).site("5").publish(TOPIC));
    expect([error.code, error.after, later.attempts.length]).to.deep.equal(["limit", 60_000, 1]);
  });

  it("rejects with unavailable before the timeout, whatever the transport does", async () => {
    for (const steps of [
      Array(50).fill("unavailable"),
      Array(50).fill("internal"),
      Array(50).fill("hang"),
      Array.from({ length: 50 }, () => new Error("odd")),
    ]) {
      const transport = new ScriptedTransport(...(steps as "hang"[]));
      const begin = performance.now();
      const error = await refusal(createEmitter({ transport, timeout: 400 }).site("5").publish(TOPIC));
      expect(error.code).to.equal("unavailable");
      expect(error.message).to.contain("unknown");
      expect(performance.now() - begin).to.be.below(480);
      expect(transport.attempts.length).to.be.above(1);
    }
  });

  it("is refused where too many are under way", async () => {
    const emitter = createEmitter({ transport: new ScriptedTransport("hang", "ok"), maxPending: 1, timeout: 400 });
    const first = emitter.site("5").publish(TOPIC);
    expect((await refusal(emitter.site("5").publish(TOPIC))).code).to.equal("limit");
    expect(await first, "a retry of the first went in").to.deep.equal({ epoch: "e", offset: 1 });
  });

  it("resolves null where the emitter is disabled, whatever it is given", async () => {
    const transport = new ScriptedTransport();
    const emitter = createEmitter({ transport, enabled: false });
    expect(emitter.enabled).to.equal(false);
    expect(await emitter.site("5").publish(TOPIC, { id: 5 })).to.equal(null);
    expect(await emitter.site("5").publish(["a", "b"], { id: 5 })).to.equal(null);
    expect(await emitter.site("not a site").publish("not a topic")).to.equal(null);
    expect(transport.attempts).to.deep.equal([]);
    await emitter.close();
  });

  describe("after close", () => {
    it("is unavailable, and the transport is closed", async () => {
      const transport = new ScriptedTransport();
      {
        await using emitter = createEmitter({ transport });
        void emitter.site("5").publish(TOPIC);
      }
      expect(transport.closed).to.equal(true);
      expect(transport.attempts, "the one under way was let through").to.have.length(1);
      const closed = createEmitter({ transport });
      await closed.close();
      await closed.close();
      expect((await refusal(closed.site("5").publish(TOPIC))).code).to.equal("unavailable");
    });

    it("is not tried again", async () => {
      const transport = new ScriptedTransport("unavailable");
      const emitter = createEmitter({ transport });
      const pending = refusal(emitter.site("5").publish(TOPIC));
      await emitter.close();
      expect((await pending).code).to.equal("unavailable");
      expect(transport.attempts).to.have.length(1);
    });
  });
});

import { expect } from "chai";
import { createEmitter } from "@bellwire/emitter";
import { refusal, ScriptedTransport } from "./scripted-transport.js";

describe("a faked emitter", () => {
  it("records instead of sending, with rising offsets per site and topic", async () => {
    const transport = new ScriptedTransport();
    const emitter = createEmitter({ transport });
    const fake = emitter.fake();
    expect(await emitter.site("5").publish("a", { id: 1, at: new Date(0) })).to.deep.equal({ epoch: "fake", offset: 1 });
    expect(await emitter.site("5").publish(["a", "b"], {}, { except: { user: "3" } })).to.deep.equal([
      { topic: "a", epoch: "fake", offset: 2 },
      { topic: "b", epoch: "fake", offset: 1 },
    ]);
    expect(await emitter.site("6").publish("a")).to.deep.equal({ epoch: "fake", offset: 1 });
    expect(fake.published).to.deep.equal([
      { site: "5", topic: "a", data: { id: 1, at: "1970-01-01T00:00:00.000Z" }, options: {} },
      { site: "5", topic: "a", data: {}, options: { except: { user: "3" } } },
      { site: "5", topic: "b", data: {}, options: { except: { user: "3" } } },
      { site: "6", topic: "a", data: {}, options: {} },
    ]);
    expect(transport.attempts).to.deep.equal([]);
  });

  it("still checks its arguments", async () => {
    const emitter = createEmitter({ transport: new ScriptedTransport() });
    const fake = emitter.fake();
    expect((await refusal(emitter.site("5").publish("a", [1]))).code).to.equal("bad-request");
    expect(fake.published).to.deep.equal([]);
  });

  it("counts an idempotency key once", async () => {
    const emitter = createEmitter({ transport: new ScriptedTransport() });
    const fake = emitter.fake();
    const publish = () => emitter.site("5").publish("a", {}, { idempotencyKey: "k" });
    expect(await publish()).to.deep.equal(await publish());
    expect(fake.published).to.deep.equal([{ site: "5", topic: "a", data: {}, options: { idempotencyKey: "k" } }]);
  });

  it("forgets on clear and publishes for real after restore", async () => {
    const transport = new ScriptedTransport();
    const emitter = createEmitter({ transport });
    const fake = emitter.fake();
    await emitter.site("5").publish("a");
    fake.clear();
    expect(fake.published).to.deep.equal([]);
    expect(await emitter.site("5").publish("a")).to.deep.equal({ epoch: "fake", offset: 1 });
    fake.restore();
    expect(await emitter.site("5").publish("a")).to.deep.equal({ epoch: "e", offset: 1 });
    expect(fake.published).to.have.length(1);
  });

  it("works where publishing is switched off, as in most test environments", async () => {
    const emitter = createEmitter({ enabled: false });
    const fake = emitter.fake();
    expect(emitter.enabled).to.equal(true);
    await emitter.site("5").publish("a");
    expect(fake.published).to.have.length(1);
    fake.restore();
    expect(emitter.enabled).to.equal(false);
    expect(await emitter.site("5").publish("a")).to.equal(null);
  });
});

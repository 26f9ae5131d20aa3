import { expect } from "chai";
import { createEmitter, type Identifier } from "@bellwire/emitter";
import { refusal, ScriptedTransport } from "./scripted-transport.js";

describe("ids that are integers", () => {
  it("are written as text, wherever an emitter takes an id", async () => {
    const transport = new ScriptedTransport();
    const site = createEmitter({ transport }).site(5);
    expect(site.site).to.equal("5");
    await site.publish("T", {}, { except: { user: 7, session: 8n } });
    await site.user(42).publish();
    await site.session(43).publish();
    await site.user(42).disconnect();
    await site.session(43).revoke();
    expect(transport.publications.map(({ site: on, except, addressee }) => [on, except, addressee])).to.deep.equal([
      ["5", { user: "7", session: "8" }, undefined],
      ["5", undefined, { kind: "user", id: "42" }],
      ["5", undefined, { kind: "session", id: "43" }],
    ]);
    expect(transport.commands).to.deep.equal([
      { kind: "disconnect", site: "5", user: "42" },
      { kind: "revoke", site: "5", session: "43" },
    ]);
  });

  it("are recorded as text by a fake", async () => {
    const emitter = createEmitter({ transport: new ScriptedTransport() });
    const fake = emitter.fake();
    await emitter.site(5).publish("T", { id: 1 });
    expect(fake.published).to.deep.equal([{ site: "5", topic: "T", data: { id: 1 }, options: {} }]);
  });

  for (const [what, id, shown] of [
    ["a fraction", 5.5, "the number 5.5"],
    ["no number", NaN, "the number NaN"],
    ["more than a number can count to", 2 ** 53, "9007199254740992, which is beyond 2^53: pass it as a string"],
    ["a boolean", false, "the boolean false"],
    ["an object", {}, "an object"],
    ["nothing", undefined, "undefined"],
  ] as const) {
    it(`are not ${what}; the refusal says what it got`, async () => {
      const emitter = createEmitter({ transport: new ScriptedTransport() });
      const error = await refusal(emitter.site(id as Identifier).publish("T"));
      expect(error.code).to.equal("bad-request");
      expect(error.message)
        .to.contain("A site is")
        .and.match(new RegExp(`, not ${shown.replace(/[.^]/g, "\\$&")}$`));
      expect(
        (
          await refusal(
            emitter
              .site(5)
              .user(id as Identifier)
              .publish(),
          )
        ).message,
      ).to.contain(`, not ${shown}`);
      expect((await refusal(emitter.site(id as Identifier).revoke({ topic: "T" }))).message).to.contain(`, not ${shown}`);
      if (id !== undefined)
        expect(
          (
            await refusal(
              emitter
                .site(5)
                .user(id as Identifier)
                .revoke(),
            )
          ).message,
        ).to.contain(`, not ${shown}`);
    });
  }
});

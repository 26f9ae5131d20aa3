import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { expect } from "chai";
import { createEmitter, type ErrorContext } from "@bellwire/emitter";
import { createReporter, createWarner } from "../../emitter/src/reporter.js";
import { refusal, ScriptedTransport } from "./scripted-transport.js";

const TOPIC = "Contact_Updated_Topic";

/** An emitter whose reports can be awaited. */
function reporting(transport: ScriptedTransport): {
  emitter: ReturnType<typeof createEmitter>;
  reports: [Error, ErrorContext][];
  next: Promise<unknown>;
} {
  const reports: [Error, ErrorContext][] = [];
  const events = new EventTarget();
  const next = once(events, "report");
  const emitter = createEmitter({
    transport,
    onError: (error, context) => {
      reports.push([error, context]);
      events.dispatchEvent(new Event("report"));
    },
  });
  return { emitter, reports, next };
}

describe("a publish that nobody awaits", () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  before(() => process.on("unhandledRejection", note));
  after(() => {
    process.off("unhandledRejection", note);
    expect(unhandled).to.deep.equal([]);
  });

  it("fails without an unhandled rejection, and is reported", async () => {
    const { emitter, reports, next } = reporting(new ScriptedTransport("forbidden"));
    void emitter.site("5").publish(TOPIC);
    await next;
    expect(reports).to.have.length(1);
    expect(reports[0]?.[0]).to.have.property("code", "forbidden");
    expect(reports[0]?.[1]).to.deep.equal({ site: "5", topic: TOPIC });
  });

  it("is reported too where its arguments are wrong", async () => {
    const { emitter, reports, next } = reporting(new ScriptedTransport());
    void emitter.site("5").publish(TOPIC, { id: 5n });
    await next;
    expect(reports[0]?.[0]).to.have.property("code", "bad-request");
  });

  it("is reported for each topic that failed", async () => {
    const { emitter, reports, next } = reporting(new ScriptedTransport("ok", "forbidden"));
    void emitter.site("5").publish(["a", "b"]);
    await next;
    expect(reports.map(([, context]) => context)).to.deep.equal([{ site: "5", topic: "b" }]);
  });

  it("is not reported where somebody does look", async () => {
    const { emitter, reports } = reporting(new ScriptedTransport("forbidden", "forbidden", "forbidden", "forbidden"));
    const site = emitter.site("5");
    await refusal(site.publish(TOPIC));
    await site.publish(TOPIC).catch(() => undefined);
    await Promise.allSettled([site.publish(TOPIC)]);
    await (async () => site.publish(TOPIC))().then(undefined, () => undefined);
    await turn();
    await turn();
    expect(reports).to.deep.equal([]);
  });

  it("survives a reporter that throws or rejects", async () => {
    for (const onError of [
      () => {
        throw new Error("mine");
      },
      () => Promise.reject(new Error("mine")),
    ]) {
      expect(() => createReporter(onError)(new Error("x"), {})).not.to.throw();
    }
    await turn();
  });

  it("warns at most once a minute, and counts what it kept back", () => {
    const lines: string[] = [];
    let now = 1000;
    const warn = createWarner(
      (line) => lines.push(line),
      () => now,
    );
    for (let i = 0; i < 3; i++) warn(new Error("away"), { site: "5", topic: TOPIC });
    now += 60_000;
    warn(new Error("away"), {});
    expect(lines).to.deep.equal([`bellwire: ${TOPIC} on site 5: away`, "bellwire: away (and 2 more since the last warning)"]);
  });
});

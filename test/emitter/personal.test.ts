import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { createEmitter, personalTopic, type ErrorContext } from "@bellwire/emitter";
import { refusal, ScriptedTransport } from "./scripted-transport.js";

describe("publishing to a user or a session", () => {
  it("goes to its personal topic, with the options of any publish", async () => {
    const transport = new ScriptedTransport();
    const site = createEmitter({ transport }).site("5");
    await site.user("ann").publish({ id: 1 }, { idempotencyKey: "k", except: { client: "c" } });
    await site.session("s1").publish();
    expect(
      transport.publications.map(({ topic, data, addressee, except, idempotent }) => [topic, data, addressee, except, idempotent]),
    ).to.deep.equal([
      [personalTopic("user", "ann"), '{"id":1}', { kind: "user", id: "ann" }, { client: "c" }, true],
      [personalTopic("session", "s1"), "{}", { kind: "session", id: "s1" }, undefined, false],
    ]);
  });

  it("is tried again like any other", async () => {
    const transport = new ScriptedTransport("unavailable", "ok");
    expect(await createEmitter({ transport }).site("5").user("ann").publish()).to.deep.equal({ epoch: "e", offset: 1 });
    expect(transport.publications.map(({ retry }) => retry)).to.deep.equal([false, true]);
    expect(transport.publications[0]?.id).to.equal(transport.publications[1]?.id);
  });

  it("refuses ids that are none, and what is no message", async () => {
    const site = createEmitter({ transport: new ScriptedTransport() }).site("5");
    for (const id of ["", undefined, null, 5.5, {}, "x".repeat(129), "é".repeat(65), "\ud800"]) {
      expect((await refusal(site.user(id as string).publish())).code, String(id)).to.equal("bad-request");
      expect((await refusal(site.session(id as string).publish())).code, String(id)).to.equal("bad-request");
    }
    expect((await refusal(site.user("ann").publish([1]))).code).to.equal("bad-request");
    expect((await refusal(site.user("ann").publish({ text: "x".repeat(5000) }))).code).to.equal("too-large");
    expect((await refusal(site.user("ann").publish({}, { except: { users: "x" } as never }))).code).to.equal("bad-request");
  });

  it("is reported where nobody awaits it, and nothing where publishing is switched off", async () => {
    const events = new EventTarget();
    const reports: ErrorContext[] = [];
    const next = once(events, "report");
    const onError = (_error: Error, context: ErrorContext): void => {
      reports.push(context);
      events.dispatchEvent(new Event("report"));
    };
    void createEmitter({ transport: new ScriptedTransport("forbidden"), onError })
      .site("5")
      .user("ann")
      .publish();
    await next;
    expect(reports).to.deep.equal([{ site: "5", topic: "$user" }]);
    expect(await createEmitter({ enabled: false }).site("5").session("s1").publish()).to.equal(null);
  });

  it("is recorded by a faked emitter, with whom it is for", async () => {
    const emitter = createEmitter({ transport: new ScriptedTransport() });
    const fake = emitter.fake();
    await emitter.site("5").user("ann").publish({ id: 1 });
    expect(await emitter.site("5").user("bob").publish({ id: 2 })).to.deep.equal({ epoch: "fake", offset: 1 });
    await emitter
      .site("5")
      .session("s1")
      .publish({ id: 3 }, { except: { user: "ann" } });
    expect(fake.published).to.deep.equal([
      { site: "5", topic: "$user", user: "ann", data: { id: 1 }, options: {} },
      { site: "5", topic: "$user", user: "bob", data: { id: 2 }, options: {} },
      { site: "5", topic: "$session", session: "s1", data: { id: 3 }, options: { except: { user: "ann" } } },
    ]);
  });

  it("travels over HTTP under the id, not the hash", async () => {
    const bodies: { messages: object[] }[] = [];
    const server = createServer((req, res) => {
      let text = "";
      req.on("data", (chunk: Buffer) => (text += chunk.toString()));
      req.on("end", () => {
        const body = JSON.parse(text) as { messages: object[] };
        bodies.push(body);
        res.end(JSON.stringify({ results: body.messages.map(() => ({ topic: "$user", epoch: "e", offset: 1 })) }));
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const emitter = createEmitter({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, apiKey: "k" });
    try {
      const site = emitter.site("5");
      const sent = [
        site.user("ann").publish({ id: 1 }, { idempotencyKey: "a" }),
        site.session("s1").publish({}, { idempotencyKey: "b" }),
        site.publish("T", {}, { idempotencyKey: "c" }),
      ];
      expect(await Promise.all(sent)).to.deep.equal(Array.from({ length: 3 }, () => ({ epoch: "e", offset: 1 })));
      expect(bodies.flatMap(({ messages }) => messages)).to.deep.equal([
        { user: "ann", idempotencyKey: "a", data: { id: 1 } },
        { session: "s1", idempotencyKey: "b", data: {} },
        { topic: "T", idempotencyKey: "c", data: {} },
      ]);
    } finally {
      await emitter.close();
      server.close();
    }
  });
});

import { expect } from "chai";
import { parseCommand } from "@bellwire/emitter/commands";

describe("a command", () => {
  const good: [string, object, object][] = [
    ["disconnect", { user: "3" }, { user: "3" }],
    ["disconnect", { session: "s", code: "revoked", reason: { code: 7 } }, { session: "s", code: "revoked", reason: { code: 7 } }],
    ["subscribe", { client: "c", topic: "T", session: null }, { client: "c", topic: "T", filter: {} }],
    ["subscribe", { user: "3", topic: "T", filter: { b: [1], a: "x" } }, { user: "3", topic: "T", filter: { a: "x", b: 1 } }],
    ["subscribe", { user: "3", topic: "T", filter: [] }, { user: "3", topic: "T", filter: {} }],
    ["unsubscribe", { user: "3" }, { user: "3" }],
    ["unsubscribe", { topic: "T*" }, { topic: "T*", filter: {} }],
    ["revoke", { user: "3", unknown: 1 }, { user: "3" }],
    ["revoke", { jti: "j" }, { jti: "j" }],
    ["revoke", { topic: "T", filter: { id: 5 } }, { topic: "T", filter: { id: 5 } }],
  ];
  for (const [kind, body, expected] of good) {
    it(`reads: ${kind} ${JSON.stringify(body)}`, () => {
      expect(parseCommand(kind, "5", body)).to.deep.equal({ kind, site: "5", ...expected });
    });
  }

  const bad: [string, unknown, string?][] = [
    ...["disconnect", "subscribe", "unsubscribe", "revoke"].flatMap((kind): [string, unknown][] => [
      [kind, {}],
      [kind, []],
      [kind, undefined],
      [kind, "x"],
      [kind, { user: "" }],
      [kind, { user: 3 }],
      [kind, { user: "x".repeat(129) }],
      [kind, { user: "\ud800" }],
      [kind, { user: "3", session: "s", topic: "T" }],
      [kind, { filter: { id: 5 } }],
      [kind, { user: "3", filter: { id: 5 } }],
    ]),
    ["disconnect", { user: "3", topic: "T" }],
    ["disconnect", { user: "3", code: "kicked" }],
    ["disconnect", { user: "3", reason: "out" }],
    ["disconnect", { user: "3", reason: { code: null } }],
    ["disconnect", { jti: "j" }],
    ["subscribe", { user: "3" }],
    ["subscribe", { topic: "T" }],
    ["subscribe", { user: "3", topic: "T*" }],
    ["subscribe", { user: "3", topic: "$user" }, "forbidden"],
    ["unsubscribe", { jti: "j" }],
    ["unsubscribe", { topic: "$user" }, "forbidden"],
    ["unsubscribe", { topic: "a b" }],
    ["revoke", { topic: "$*" }, "forbidden"],
    ["revoke", { topic: "T", filter: { id: [] } }],
    ["revoke", { jti: "" }],
    ["dance", { user: "3" }],
  ];
  for (const [kind, body, code = "bad-request"] of bad) {
    it(`refuses: ${kind} ${JSON.stringify(body)?.slice(0, 60)}`, () => {
      expect(() => parseCommand(kind, "5", body))
        .to.throw()
        .with.property("code", code);
    });
  }
});

import { randomBytes } from "node:crypto";

/** Texts and bytes, well-formed and not, in the forms that the adapter takes and in others. */
export function hostilePayloads(): (string | Buffer)[] {
  const requests = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -1, "6", null, {}].flatMap((type) => [
    { type },
    { type, requestId: "x" },
    { type, requestId: "x", rooms: 5, sid: "a", room: {} },
    { type, requestId: "x", opts: {} },
    { type, requestId: "x", opts: { rooms: 5, except: 5 }, packet: { nsp: "/" } },
    { type, uid: "emitter", data: null },
    { type, uid: "emitter", data: ["error", new Error("x").message] },
    { type, uid: "emitter", data: ["connection", { id: 1 }] },
    { type, uid: "emitter", data: ["command"] },
    { type, uid: "emitter", data: ["command", { kind: "disconnect", site: "5" }] },
    { type, uid: "emitter", data: ["command", { kind: "disconnect", site: 5, user: "ann" }] },
    { type, uid: "emitter", data: ["command", { kind: "revoke", site: "5", user: { toString: 1 } }] },
    { type, uid: "emitter", data: ["command", { kind: "subscribe", site: "5", user: "ann", topic: "T", filter: { a: {} } }] },
    { type, uid: "emitter", requestId: "x", data: ["counts"] },
    { type, uid: "emitter", requestId: {}, data: ["counts"] },
    { type, uid: "emitter", data: ["counts"] },
    { type, uid: "emitter", data: { length: 5 } },
    { type, requestId: "__proto__", data: [] },
  ]);
  const text = requests.map((value) => JSON.stringify(value));
  return [
    ...text,
    ...text.slice(0, 20).map((json) => json.slice(0, -3)),
    "",
    "{",
    "{}",
    "null",
    "[]",
    '{"a":'.repeat(5000),
    `{"type":6,"data":["command","${"x".repeat(200_000)}"]}`,
    // MessagePack: an array of uid, packet and options; maps; truncated and unknown kinds.
    Buffer.from([0x93, 0xa1, 0x61, 0x80, 0x80]),
    Buffer.from([0x82, 0xa4, 0x74, 0x79, 0x70, 0x65, 0x07, 0xa1, 0x61, 0xc0]),
    Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0xc1]),
    Buffer.from([0xc6, 0x7f, 0xff, 0xff, 0xff]),
    ...Array.from({ length: 60 }, (_, i) => randomBytes(i)),
  ];
}

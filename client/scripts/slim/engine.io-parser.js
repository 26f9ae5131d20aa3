// The Engine.IO protocol 4 without binary packets.
const TYPES = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
const SEPARATOR = "\x1e";

export const protocol = 4;

export function encode({ type, data }) {
  return TYPES.indexOf(type) + (data || "");
}

export function decodePacket(text) {
  const type = TYPES[typeof text === "string" ? text[0] : -1];
  return type === undefined ? { type: "error", data: "parser error" } : { type, ...(text.length > 1 && { data: text.slice(1) }) };
}

export function encodePayload(packets, done) {
  done(packets.map(encode).join(SEPARATOR));
}

export function decodePayload(payload) {
  return payload.split(SEPARATOR).map(decodePacket);
}

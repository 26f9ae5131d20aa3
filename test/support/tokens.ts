import { createHmac } from "node:crypto";

/** A JWT made by hand, as a backend in any language would: nothing of ours is involved. */
export function jwt(key: string | Buffer, payload: unknown, header: object = { alg: "HS256", typ: "JWT" }): string {
  const bytes = typeof key !== "string" ? key : key.startsWith("base64:") ? Buffer.from(key.slice(7), "base64") : Buffer.from(key);
  const text = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${text}.${createHmac("sha256", bytes).update(text).digest("base64url")}`;
}

export function now(): number {
  return Math.floor(Date.now() / 1000);
}

export function connectToken(key: string | Buffer, claims: object = {}): string {
  return jwt(key, { aud: "bellwire:connect", site: "5", sub: "ann", sid: "s1", iat: now(), exp: now() + 60, ...claims });
}

export function subscribeToken(key: string | Buffer, claims: object = {}): string {
  return jwt(key, { aud: "bellwire:subscribe", site: "5", sub: "ann", sid: "s1", iat: now(), exp: now() + 60, ...claims });
}

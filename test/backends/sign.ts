import { createHmac, randomBytes } from "node:crypto";

/** A secret as Standard Webhooks writes it. */
export function newSecret(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}

/** The headers that Standard Webhooks asks for, made from its text: nothing of ours is involved. */
export function signed(secret: string, body: string, { id = `msg_${randomBytes(8).toString("hex")}`, at = Date.now() / 1000 } = {}) {
  const timestamp = String(Math.floor(at));
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature(secret, id, timestamp, body) };
}

export function signature(secret: string, id: string, timestamp: string, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
}

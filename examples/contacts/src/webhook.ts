import { createHmac, timingSafeEqual } from "node:crypto";

/** Seconds that a question may be old, or early by a clock that is ahead. */
const TOLERANCE = 300;

/**
 * Makes the check of signatures as Standard Webhooks says: one of those in `webhook-signature` is `v1,` and the base64 of the
 * HMAC-SHA-256 of `<webhook-id>.<webhook-timestamp>.<body>`.
 * @param secret `whsec_` and the key in base64
 * @throws TypeError for a secret that is none
 */
export function createVerifier(secret: string): (headers: Headers, body: string) => boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  if (!secret.startsWith("whsec_") || key.length < 24) throw new TypeError("The secret is whsec_ and at least 24 bytes in base64");
  return (headers, body) => {
    const id = headers.get("webhook-id");
    const timestamp = headers.get("webhook-timestamp");
    if (id === null || timestamp === null || !(Math.abs(Date.now() / 1000 - Number(timestamp)) <= TOLERANCE)) return false;
    const wanted = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
    return (headers.get("webhook-signature") ?? "").split(" ").some((signature) => {
      const [version, mac = ""] = signature.split(",", 2);
      const given = Buffer.from(mac, "base64");
      return version === "v1" && given.length === wanted.length && timingSafeEqual(given, wanted);
    });
  };
}

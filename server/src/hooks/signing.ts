import { createHmac, hkdfSync, randomBytes } from "node:crypto";
import { parseKey } from "@bellwire/emitter/publication";

const PREFIX = "whsec_";

/** The headers of Standard Webhooks (https://www.standardwebhooks.com). */
export interface SignedHeaders {
  readonly "webhook-id": string;
  readonly "webhook-timestamp": string;
  readonly "webhook-signature": string;
}

/** The keys that hooks are signed with: the secrets' own bytes, or one derived from the APP_KEY where there are none. */
export function signingKeys(secrets: readonly string[], appKey: string): Buffer[] {
  if (secrets.length > 0) return secrets.map((secret) => Buffer.from(secret.slice(PREFIX.length), "base64"));
  return [Buffer.from(hkdfSync("sha256", parseKey(appKey).sign, "", "bellwire hook", 32))];
}

/** True for `whsec_` and 24 to 64 bytes in base64. */
export function isHookSecret(text: string): boolean {
  if (!text.startsWith(PREFIX)) return false;
  const encoded = text.slice(PREFIX.length);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return false;
  const { length } = Buffer.from(encoded, "base64");
  return length >= 24 && length <= 64;
}

/** Signs requests, once with each key, so that a backend may hold any of them. */
export class Signer {
  readonly #keys: readonly Buffer[];

  constructor(keys: readonly Buffer[]) {
    this.#keys = keys;
  }

  /**
   * Signs `<id>.<timestamp>.<content>` by HMAC-SHA-256.
   * @param id the question's; the same for each of its attempts
   * @param content a webhook's is its body
   */
  sign(id: string, content: string): SignedHeaders {
    const timestamp = String(Math.floor(Date.now() / 1000));
    const text = `${id}.${timestamp}.${content}`;
    const signatures = this.#keys.map((key) => `v1,${createHmac("sha256", key).update(text).digest("base64")}`);
    return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures.join(" ") };
  }
}

/** An id for one question. */
export function questionId(): string {
  return `msg_${randomBytes(18).toString("base64url")}`;
}

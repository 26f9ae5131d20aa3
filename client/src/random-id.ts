/** 96 random bits as text. Not crypto.randomUUID, which pages without TLS don't have. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

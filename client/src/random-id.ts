/** 96 random bits as text. Not crypto.randomUUID, which pages without TLS don't have; React Native has no crypto at all. */
export function randomId(): string {
  const bytes = new Uint8Array(12);
  const { crypto } = globalThis as { readonly crypto?: Partial<Crypto> };
  // It names this page and is no secret, so where there is nothing better Math.random will do.
  if (crypto?.getRandomValues === undefined) bytes.forEach((_, i) => (bytes[i] = Math.random() * 256));
  else crypto.getRandomValues(bytes);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

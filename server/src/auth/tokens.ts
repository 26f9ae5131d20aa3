import { createDecoder } from "fast-jwt";
import { BellwireError, limits } from "@bellwire/protocol";
import type { Keyring } from "./keyring.js";
import { faultOf } from "./token-fault.js";

const decode = createDecoder({ complete: true });

/**
 * Checks a token's signature with the keys of a site and returns its payload; what the payload claims is for the caller to check.
 * @throws BellwireError `token-missing`, `token-invalid` or `too-large`
 */
export function verifyToken(keyring: Keyring, site: string, token: unknown): unknown {
  if (token === undefined || token === null || token === "") throw new BellwireError("token-missing", "A token is needed");
  if (typeof token !== "string") throw new BellwireError("token-invalid", "A token is a string");
  if (token.length > limits.tokenLength) throw new BellwireError("too-large", `A token is at most ${limits.tokenLength} characters long`);
  for (const verify of keyring.candidates(site, () => keyId(token))) {
    try {
      return verify(token);
    } catch {
      // The next key may have signed it; the caller learns only that none has.
    }
  }
  throw new BellwireError("token-invalid", faultOf(token));
}

/** Whether a token says that it is for this audience, whoever signed it: what it is to be checked as. */
export function isFor(audience: string, token: unknown): boolean {
  if (typeof token !== "string" || token.length > limits.tokenLength) return false;
  try {
    const { aud } = (decode(token) as { payload: { aud?: unknown } }).payload;
    return [aud].flat().includes(audience);
  } catch {
    return false;
  }
}

function keyId(token: string): string | undefined {
  try {
    const { kid } = (decode(token) as { header: { kid?: unknown } }).header;
    return typeof kid === "string" ? kid : undefined;
  } catch {
    throw new BellwireError("token-invalid", faultOf(token));
  }
}

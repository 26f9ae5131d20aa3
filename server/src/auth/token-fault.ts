import type { BellwireError } from "@bellwire/protocol";

const SEGMENT = /^[A-Za-z0-9_-]*$/;

/**
 * Why a token that no key verifies can't be used, in a sentence that holds nothing of it but the name of its algorithm. What is
 * wrong with its form is told before its signature: a library that writes it so writes all of them so.
 */
export function faultOf(token: string): BellwireError["message"] {
  const segments = token.split(".");
  const [header = "", payload = ""] = segments;
  if (segments.length !== 3) return "The token is not a JWT: that is three parts with dots between them";
  if (!segments.every((segment) => SEGMENT.test(segment))) {
    return "The token is not written in base64url: that has no padding (=), and - and _ in place of + and /";
  }
  const fields = jsonObject(header);
  if (fields === undefined) return "The token is not a JWT: its header is no JSON object";
  if (fields.alg !== "HS256") return `The token's algorithm is ${nameOf(fields.alg)}: it must be HS256`;
  if (fields.crit !== undefined) return "The token's header demands extensions by crit, and relays know none: leave it out";
  if (jsonObject(payload) === undefined) return "The token's payload is no JSON object";
  return "The token's signature does not hold: check APP_KEY";
}

function jsonObject(segment: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(segment, "base64url").toString());
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function nameOf(alg: unknown): string {
  return typeof alg === "string" && /^[A-Za-z0-9+-]{1,12}$/.test(alg) ? alg : "another one, or none";
}

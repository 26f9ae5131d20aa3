import { asObject, type JsonObject } from "@bellwire/protocol";

/** What one frame may hold. */
export interface FrameLimits {
  /** Subscriptions, or ids. */
  readonly count: number;
  /** Characters, roughly. */
  readonly length: number;
}

/** For a relay that names no limits. */
export const DEFAULT_FRAME: FrameLimits = { count: 500, length: 200_000 };

/** Reads the limits that `hello` names. Half of the bytes: text beyond ASCII takes more than it has characters. */
export function readFrameLimits(hello: JsonObject): FrameLimits {
  const { subscriptionsPerFrame: count, frameBytes } = asObject(hello.limits) ?? {};
  return {
    count: typeof count === "number" && count >= 1 ? count : DEFAULT_FRAME.count,
    length: typeof frameBytes === "number" && frameBytes >= 1 ? frameBytes / 2 : DEFAULT_FRAME.length,
  };
}

import { asObject, type JsonObject } from "@bellwire/protocol";

/** What one frame may hold. */
export interface FrameLimits {
  /** Subscriptions, or ids. */
  readonly count: number;
  /** UTF-16 units of JSON, whatever text they are. */
  readonly length: number;
  /** Bytes of the whole frame: the relay closes the connection over one that has more. */
  readonly bytes: number;
  /** Bytes of a publish's data. */
  readonly dataBytes: number;
}

/** For a relay that names no limits. */
export const DEFAULT_FRAME: FrameLimits = { count: 500, length: 200_000, bytes: Infinity, dataBytes: Infinity };

/** Reads the limits that `hello` names. */
export function readFrameLimits(hello: JsonObject): FrameLimits {
  const limits = asObject(hello.limits) ?? {};
  const named = (name: string, otherwise: number): number => {
    const value = limits[name];
    return typeof value === "number" && value >= 1 ? value : otherwise;
  };
  const bytes = named("frameBytes", DEFAULT_FRAME.bytes);
  return {
    count: named("subscriptionsPerFrame", DEFAULT_FRAME.count),
    // A unit of UTF-16 takes three bytes of UTF-8 at most.
    length: bytes === Infinity ? DEFAULT_FRAME.length : bytes / 3,
    bytes,
    dataBytes: named("dataBytes", DEFAULT_FRAME.dataBytes),
  };
}

/** Says what is too large about a request; undefined where nothing is. `frame` is the text that goes over the wire. */
export function oversize(limits: FrameLimits, event: string, payload: unknown, frame: string): string | undefined {
  const bytes = bytesOf(frame);
  if (bytes > limits.bytes) return `A frame of ${bytes} bytes is more than this relay's ${limits.bytes}: send less, or a reference to it`;
  if (event !== "publish") return undefined;
  const dataBytes = bytesOf(JSON.stringify(asObject(payload)?.data) ?? "");
  if (dataBytes <= limits.dataBytes) return undefined;
  return `Data of ${dataBytes} bytes is more than this relay's ${limits.dataBytes}: publish what changed, and let who hears it fetch the rest`;
}

/** In UTF-8. By hand: not every runtime of JavaScript has a TextEncoder. */
function bytesOf(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // The two halves of a character beyond U+FFFF make four bytes together.
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

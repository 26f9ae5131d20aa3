import { asObject } from "@bellwire/protocol";

// The adapter's number for a serverSideEmit and its answers.
const SERVER_SIDE_EMIT = 6;
// Far above the longest command.
const MAX_BYTES = 65_536;
const BRACE = 0x7b;

/**
 * Is this what relays and emitters write into the adapter's channels: a `serverSideEmit` of one of our events, or an answer to one?
 * The adapter would take much more, broadcasts and requests about sockets in MessagePack among it, and trusts all of it.
 */
export function isAdapterPayload(channel: string, payload: Buffer, events: readonly string[]): boolean {
  if (payload.length > MAX_BYTES || payload[0] !== BRACE) return false;
  let source: Record<string, unknown> | undefined;
  try {
    source = asObject(JSON.parse(payload.toString()));
  } catch {
    return false;
  }
  if (source?.type !== SERVER_SIDE_EMIT || !isId(source.requestId)) return false;
  if (channel.includes("-response#")) return source.requestId !== undefined;
  return Array.isArray(source.data) && events.includes(source.data[0] as string);
}

/** The adapter makes ids of 6 characters. */
function isId(value: unknown): boolean {
  return value === undefined || (typeof value === "string" && value.length > 0 && value.length <= 64);
}

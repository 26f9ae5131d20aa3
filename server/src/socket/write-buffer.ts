import type { Socket } from "socket.io";

/**
 * How many packets wait in engine.io for the transport to take them. An internal of engine.io, documented as readable on
 * `close`; where it is missing nothing waits as far as we can tell, and only the ping timeout ends a stuck socket.
 */
export function waitingPackets(conn: Socket["conn"]): number {
  return (conn as unknown as { writeBuffer?: readonly unknown[] }).writeBuffer?.length ?? 0;
}

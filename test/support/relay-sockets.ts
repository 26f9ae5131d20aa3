import type { Socket } from "socket.io";
import type { Relay } from "@bellwire/server";

type Connection = Relay["connections"] extends ReadonlySet<infer Each> ? Each : never;

/** The relay's own end of a connection over Socket.IO. */
export function socketOf(connection: Connection | undefined): Socket {
  const socket = (connection?.wire as { readonly socket?: Socket } | undefined)?.socket;
  if (socket === undefined) throw new Error("Nobody is connected over Socket.IO");
  return socket;
}

/** The relay's own ends of all connections, of which there must not be others than over Socket.IO. */
export function socketsOf(relay: Pick<Relay, "connections">): Socket[] {
  return [...relay.connections].map(socketOf);
}

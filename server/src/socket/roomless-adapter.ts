import { Adapter } from "socket.io-adapter";

/**
 * For namespaces whose sockets join no rooms: feeds have their own. socket.io would put every socket into a room of its own id,
 * two maps and two sets of them.
 */
export class RoomlessAdapter extends Adapter {
  override addAll(): void {}
  override del(): void {}
  override delAll(): void {}
}

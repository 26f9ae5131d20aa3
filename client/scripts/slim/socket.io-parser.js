// The Socket.IO protocol 5 without binary attachments: everything that Bellwire says is JSON.
import { Emitter } from "@socket.io/component-emitter";

export const PacketType = { CONNECT: 0, DISCONNECT: 1, EVENT: 2, ACK: 3, CONNECT_ERROR: 4 };

export class Encoder {
  encode({ type, nsp, id, data }) {
    return [`${type}${nsp},${id ?? ""}${data === undefined ? "" : JSON.stringify(data)}`];
  }
}

export class Decoder extends Emitter {
  // What is thrown here closes the connection as a parse error, which is what the original does with a broken packet.
  add(text) {
    const [, type, nsp = "/", id, data] = /^([0-4])(?:(\/[^,]*),)?(\d*)(.*)$/s.exec(text);
    const packet = { type: +type, nsp };
    if (id !== "") packet.id = +id;
    if (data !== "") packet.data = JSON.parse(data);
    if (
      packet.type === PacketType.EVENT || packet.type === PacketType.ACK
        ? !Array.isArray(packet.data)
        : packet.type % 4 === 0 && !packet.data
    ) {
      throw new Error("invalid payload");
    }
    this.emitReserved("decoded", packet);
  }

  destroy() {}
}

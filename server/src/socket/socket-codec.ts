import { siteNamespace } from "@bellwire/protocol";
import { stringifyRaw } from "../wire/raw-json.js";
import { codecNumber, type Codec } from "../wire/wire.js";
import { eventText, toFrame, type SocketFrame } from "./frame.js";

function frame(site: string, event: string, args: readonly string[]): SocketFrame {
  return toFrame(eventText(siteNamespace(site), event, args));
}

/** Everything as Socket.IO packets, encoded past socket.io: one for a message that goes to a thousand sockets. */
export const socketCodec: Codec = {
  number: codecNumber(),
  messages({ site, topic, epoch, messages }) {
    let batch = "";
    for (const { offset, time, text } of messages) batch += `${batch === "" ? "" : ","}[${offset},${time},${text}]`;
    // Names of topics and epochs hold nothing that JSON would write otherwise.
    return frame(site, "messages", [`"${topic}"`, `"${epoch}"`, `[${batch}]`]);
  },
  positions: (site, list) => frame(site, "positions", [JSON.stringify(list)]),
  resync: (site, list, how) => frame(site, "resync", [JSON.stringify(list), JSON.stringify(how)]),
  event: (site, name, args) => frame(site, name, args.map(stringifyRaw)),
};

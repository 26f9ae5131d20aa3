import { bellwire } from "./bellwire.js";
import { centrifugo } from "./centrifugo.js";
import type { Peer } from "./peer.js";
import { socketIo } from "./socket-io.js";
import { ws, wsRaw } from "./ws.js";

/** In the order of the tables. */
export const allPeers: readonly Peer[] = [bellwire, socketIo, ws, wsRaw, centrifugo];

import type { Frame } from "../frame.js";
import type { Viewer } from "./message.js";
import type { Room, Seat } from "./rooms.js";

/** A socket as feeds see it. */
export interface Recipient extends Viewer {
  /** Writes a frame, or closes the socket as `slow` where it can't keep up. Never throws. */
  send(frame: Frame): void;
}

/** One socket's membership in one feed, whatever the number of its subscriptions there. */
export class Member {
  readonly recipient: Recipient;
  readonly seats: Seat[] = [];
  /** Subscriptions of this socket on the topic. */
  subscriptions = 0;
  /** The highest offset that the client has been told of. */
  told = 0;
  /** Joined while the log could not be read: owed a resync. */
  degraded = false;

  // Scratch of one delivery: the rooms this member is touched in, when it sits in several.
  turn = 0;
  touched: Room[] | undefined;

  constructor(recipient: Recipient) {
    this.recipient = recipient;
  }
}

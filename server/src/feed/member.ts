import type { Codec, Frame } from "../wire/wire.js";
import type { Shape } from "@bellwire/protocol";
import type { Message, Viewer } from "./message.js";

/** What nothing waits in shares this: it is replaced, never written to. */
export const NO_MESSAGES: Message[] = Object.freeze([]) as never[];

/** A socket as feeds see it. */
export interface Recipient extends Viewer {
  /** What makes its frames. */
  readonly codec: Codec;
  /** Writes a frame, or closes the socket as `slow` where it can't keep up. Never throws. */
  send(frame: Frame): void;
}

/** One socket's membership in one feed, whatever the number of its subscriptions there. */
export class Member {
  readonly recipient: Recipient;
  /** Most members have one seat, and need no map for it; with more, leaving one costs the same in any number of them. */
  #seats: Seat | Map<Room, Seat> | undefined;
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

  /** False where it can't be in a second room. */
  get inSeveral(): boolean {
    return this.#seats instanceof Map && this.#seats.size > 1;
  }

  seatIn(room: Room): Seat | undefined {
    if (this.#seats instanceof Map) return this.#seats.get(room);
    return this.#seats?.room === room ? this.#seats : undefined;
  }

  sit(seat: Seat): void {
    const seats = this.#seats;
    if (seats === undefined) this.#seats = seat;
    else if (seats instanceof Map) seats.set(seat.room, seat);
    else
      this.#seats = new Map([
        [seats.room, seats],
        [seat.room, seat],
      ]);
  }

  rise({ room }: Seat): void {
    if (this.#seats instanceof Map) this.#seats.delete(room);
    else this.#seats = undefined;
  }
}

/** A member's place in a room. It knows its index, so that leaving costs the same in a room of ten thousand. */
export interface Seat {
  readonly member: Member;
  readonly room: Room;
  index: number;
  /** How many of the member's subscriptions want this room. */
  wanted: number;
}

export interface Room {
  readonly name: string;
  readonly used: ShapeInUse;
  seats: Seat[];
  /** Messages of this turn that go to this room, not yet delivered. */
  batch: Message[];
}

/** A shape that some subscription of the topic has, with its rooms that somebody sits in. */
export interface ShapeInUse {
  readonly shape: Shape;
  readonly rooms: Map<string, Room>;
}

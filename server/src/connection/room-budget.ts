import { BellwireError, isReservedTopic, type ParsedFilter } from "@bellwire/protocol";
import { roomCount } from "../feed/rooms.js";
import { COST } from "../pacing/work.js";
import type { Connection, Intent } from "./connection.js";

export interface RoomLimits {
  /** Rooms that one connection may have: a filter takes one for each combination of its values. */
  readonly roomsPerConnection: number;
  /** Rooms that one `subscribe` may ask for. */
  readonly roomsPerFrame: number;
}

/** The rooms that one `subscribe` may still take, of those that its connection has left. */
export class RoomBudget {
  readonly #limits: RoomLimits;
  #asked = 0;

  constructor(limits: RoomLimits) {
    this.#limits = limits;
  }

  /** Sets rooms aside for a subscription under way. @throws BellwireError `limit` */
  reserve(connection: Connection, intent: Intent, topic: string, filter: ParsedFilter): void {
    if (isReservedTopic(topic)) return; // everybody has these: they take nobody's room
    const { roomsPerConnection, roomsPerFrame } = this.#limits;
    const rooms = roomCount(filter);
    if (this.#asked + rooms > roomsPerFrame) throw tooMany(`One subscribe may take ${roomsPerFrame} rooms`);
    if (connection.rooms + rooms > roomsPerConnection) throw tooMany(`One connection may take ${roomsPerConnection} rooms`);
    this.#asked += rooms;
    connection.rooms += rooms;
    connection.work.spend(rooms * COST.room);
    intent.rooms = rooms;
  }
}

/** What was set aside is not needed: the subscription was not made. */
export function releaseRooms(connection: Connection, intent: Intent): void {
  connection.rooms -= intent.rooms;
  intent.rooms = 0;
}

/** A subscription has ended. */
export function leaveRooms(connection: Connection, topic: string, filter: ParsedFilter): void {
  if (!isReservedTopic(topic)) connection.rooms -= roomCount(filter);
}

function tooMany(bound: string): BellwireError {
  return new BellwireError("limit", `${bound}: filters with fewer values take fewer, one for each combination of values`);
}

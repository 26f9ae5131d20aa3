import { BellwireError, roomFor, roomsOf, shapeOf, type ParsedFilter, type Shape } from "@bellwire/protocol";
import type { Message } from "./message.js";
import { NO_MESSAGES, type Member, type Room, type Seat, type ShapeInUse } from "./member.js";

/** Shapes that subscriptions of one topic may use at once: each costs every message of the topic one look-up. */
export const MAX_SHAPES = 64;

const NO_SEATS: Seat[] = Object.freeze([]) as never[];

/** How many rooms a filter takes: one for each combination of its values. */
export function roomCount({ values }: ParsedFilter): number {
  return values.reduce((count, allowed) => count * allowed.length, 1);
}

/** The rooms of one topic on one relay. Their names are unforgeable where they matter: they only ever are keys of these maps. */
export class Rooms {
  readonly #topic: string;
  readonly #shapes = new Map<string, ShapeInUse>();

  constructor(topic: string) {
    this.#topic = topic;
  }

  /** Seats a member in every room of a filter. @throws BellwireError `limit` for one shape too many on the topic */
  join(member: Member, filter: ParsedFilter): void {
    const used = this.#use(shapeOf(this.#topic, filter));
    for (const name of roomsOf(used.shape, filter)) {
      const room = used.rooms.get(name);
      if (room === undefined) {
        used.rooms.set(name, openRoom(name, used, member));
        continue;
      }
      const seat = member.seatIn(room);
      if (seat !== undefined) {
        seat.wanted++;
        continue;
      }
      const added: Seat = { member, room, index: room.seats.length, wanted: 1 };
      room.seats.push(added);
      member.sit(added);
    }
  }

  /** Takes a member out of the rooms of a filter that none of its other subscriptions wants. */
  leave(member: Member, filter: ParsedFilter): void {
    const used = this.#shapes.get(shapeOf(this.#topic, filter).prefix);
    if (used === undefined) return;
    for (const name of roomsOf(used.shape, filter)) {
      const room = used.rooms.get(name);
      const seat = room === undefined ? undefined : member.seatIn(room);
      if (seat === undefined || --seat.wanted > 0) continue;
      member.rise(seat);
      this.#vacate(seat);
    }
  }

  #vacate({ room, index }: Seat): void {
    const last = room.seats.pop() as Seat;
    if (index < room.seats.length) {
      room.seats[index] = last;
      last.index = index;
    }
    if (room.seats.length > 0) return;
    room.used.rooms.delete(room.name);
    if (room.used.rooms.size === 0) this.#shapes.delete(room.used.shape.prefix);
  }

  /** Puts a message into the batch of each room that it belongs to: one look-up per shape in use. Returns rooms that it is the first message for. */
  route(message: Message): Room[] {
    const touched: Room[] = [];
    if (!message.valid) return touched;
    for (const { shape, rooms } of this.#shapes.values()) {
      const name = roomFor(shape, message.data);
      const room = name === undefined ? undefined : rooms.get(name);
      if (room === undefined) continue;
      if (room.batch.length > 0) room.batch.push(message);
      else {
        room.batch = [message];
        touched.push(room);
      }
    }
    return touched;
  }

  /** The shapes in use and whether anybody sits in a room, for the type hint in development. */
  *shapes(): Iterable<{ readonly shape: Shape; has(name: string): boolean }> {
    for (const { shape, rooms } of this.#shapes.values()) yield { shape, has: (name) => rooms.has(name) };
  }

  #use(shape: Shape): ShapeInUse {
    let used = this.#shapes.get(shape.prefix);
    if (used !== undefined) return used;
    if (this.#shapes.size >= MAX_SHAPES) {
      throw new BellwireError("limit", `At most ${MAX_SHAPES} different key combinations of filters may be in use on one topic`);
    }
    used = { shape, rooms: new Map() };
    this.#shapes.set(shape.prefix, used);
    return used;
  }
}

// Arrays are made with their first element: one that begins empty and is pushed to takes room for seventeen, and most rooms of
// a filter have one seat.
function openRoom(name: string, used: ShapeInUse, member: Member): Room {
  const room: Room = { name, used, seats: NO_SEATS, batch: NO_MESSAGES };
  const seat: Seat = { member, room, index: 0, wanted: 1 };
  room.seats = [seat];
  member.sit(seat);
  return room;
}

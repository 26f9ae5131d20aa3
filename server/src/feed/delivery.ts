import { isExcluded, type Message } from "./message.js";
import { NO_MESSAGES, type Member, type Room } from "./member.js";
import { Frames, type Codec, type Frame } from "../wire/wire.js";

/** Makes the frame of one batch; it is called once per distinct batch and kind of wire, not once per socket. */
export type Encode = (codec: Codec, messages: readonly Message[]) => Frame;

let turn = 0;

/**
 * Delivers one turn's batches and empties them. Each socket gets at most one frame, its messages in offset order: a socket in
 * two touched rooms gets them merged, because a later packet's end would carry its cursors past what an earlier one still owed.
 */
export function deliver(touched: readonly Room[], encode: Encode): void {
  if (touched.length === 1) deliverRoom(touched[0] as Room, undefined, encode);
  else if (touched.length > 1) deliverRooms(touched, encode);
  for (const room of touched) room.batch = NO_MESSAGES;
}

function deliverRooms(touched: readonly Room[], encode: Encode): void {
  turn++;
  const several: Member[] = [];
  for (const room of touched) {
    for (const { member } of room.seats) {
      if (!member.inSeveral) continue; // can't be in a second room
      if (member.turn !== turn) {
        member.turn = turn;
        member.touched = [room];
      } else if ((member.touched as Room[]).push(room) === 2) several.push(member);
    }
  }
  for (const room of touched) deliverRoom(room, turn, encode);
  const merges = new Map<string, { messages: readonly Message[]; frames: Frames }>();
  for (const member of several) {
    const rooms = member.touched as Room[];
    const key = rooms.map((room) => touched.indexOf(room)).join();
    let merged = merges.get(key);
    if (merged === undefined) {
      const messages = merge(rooms);
      merges.set(key, (merged = { messages, frames: new Frames((codec) => encode(codec, messages)) }));
    }
    send(member, merged.messages, merged.frames, encode);
  }
}

function deliverRoom(room: Room, merging: number | undefined, encode: Encode): void {
  const { seats, batch } = room;
  const frames = new Frames((codec) => encode(codec, batch));
  const guarded = batch.some((message) => message.except !== undefined);
  const end = (batch[batch.length - 1] as Message).offset;
  // Mostly all are of one kind.
  let codec: Codec | undefined;
  let frame: Frame | undefined;
  // By index and from a copy of nothing: a socket closed as slow leaves its seat later, never inside send.
  for (let i = 0; i < seats.length; i++) {
    const member = (seats[i] as (typeof seats)[number]).member;
    if (merging !== undefined && member.turn === merging && (member.touched as Room[]).length > 1) continue;
    if (member.degraded) continue; // a resync is to come, and its position covers these
    if (guarded) send(member, batch, frames, encode);
    else {
      const { recipient } = member;
      if (recipient.codec !== codec) frame = frames.for((codec = recipient.codec));
      member.told = end;
      recipient.send(frame as Frame);
    }
  }
}

/** Sends what of a batch is for this member. Where it leaves messages out, a later `positions` tells that nothing was missed. */
function send(member: Member, messages: readonly Message[], frames: Frames, encode: Encode): void {
  const { recipient } = member;
  if (member.degraded) return;
  const allowed = messages.some((message) => isExcluded(message, recipient))
    ? messages.filter((message) => !isExcluded(message, recipient))
    : messages;
  const last = allowed[allowed.length - 1];
  if (last === undefined) return;
  member.told = last.offset;
  recipient.send(allowed === messages ? frames.for(recipient.codec) : encode(recipient.codec, allowed));
}

/** The messages of several rooms in offset order, each once. */
export function merge(rooms: readonly Pick<Room, "batch">[]): Message[] {
  const all = rooms.flatMap((room) => room.batch).sort((a, b) => a.offset - b.offset);
  return all.filter((message, i) => i === 0 || message !== all[i - 1]);
}

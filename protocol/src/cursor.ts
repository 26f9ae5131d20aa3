import { filterMatches, type ParsedFilter } from "./filter.js";
import type { WireMessage } from "./events.js";
import type { Position } from "./position.js";

/**
 * What a subscription does next. `deliver` goes to its callback in this order; `resync` says that something
 * may have been missed, so the application refetches.
 */
export interface Step {
  readonly cursor: Position;
  readonly deliver: readonly WireMessage[];
  readonly resync: boolean;
}

const NOTHING: readonly WireMessage[] = [];

/** An ack, or `subscribed`, sets the cursor and delivers its messages to that subscription only. */
export function onAcked(ack: { epoch: string; offset: number; messages: readonly WireMessage[]; resync: boolean }): Step {
  return { cursor: { epoch: ack.epoch, offset: ack.offset }, deliver: ack.resync ? NOTHING : ack.messages, resync: ack.resync };
}

/**
 * A batch of live messages of the topic: those above the cursor that match are delivered; then, matching or not,
 * the cursor rises to the batch's end. An unannounced change of epoch is a resync.
 */
export function onMessages(cursor: Position, filter: ParsedFilter, epoch: string, batch: readonly WireMessage[]): Step {
  const last = batch[batch.length - 1];
  if (last === undefined) return { cursor, deliver: NOTHING, resync: false };
  if (epoch !== cursor.epoch) return { cursor: { epoch, offset: last[0] }, deliver: NOTHING, resync: true };
  if (last[0] <= cursor.offset) return { cursor, deliver: NOTHING, resync: false };
  const deliver = batch.filter(([offset, , data]) => offset > cursor.offset && filterMatches(filter, data));
  return { cursor: { epoch, offset: last[0] }, deliver, resync: false };
}

/** How far the relay has looked on this client's behalf: raises the cursor, never lowers it. */
export function onPosition(cursor: Position, position: Position): Step {
  if (position.epoch !== cursor.epoch) return { cursor: { ...position }, deliver: NOTHING, resync: true };
  if (position.offset <= cursor.offset) return { cursor, deliver: NOTHING, resync: false };
  return { cursor: { epoch: cursor.epoch, offset: position.offset }, deliver: NOTHING, resync: false };
}

/** A resync sets the cursor, also downwards: the relay knows better. */
export function onResync(position: Position): Step {
  return { cursor: { epoch: position.epoch, offset: position.offset }, deliver: NOTHING, resync: true };
}

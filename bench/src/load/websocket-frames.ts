/** The few parts of RFC 6455 that a counting client needs, without a copy of what it counts. */

export const TEXT = 1;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** Called for each whole frame: the payload is `bytes[start..end)`, valid only during the call. */
export type OnFrame = (opcode: number, bytes: Buffer, start: number, end: number) => void;

/**
 * Walks over whole frames. Gives the index of the first byte that belongs to an incomplete one.
 * Servers don't mask, and the peers here don't fragment.
 */
export function walkFrames(bytes: Buffer, length: number, onFrame: OnFrame): number {
  let at = 0;
  while (length - at >= 2) {
    const opcode = (bytes[at] as number) & 15;
    let size = (bytes[at + 1] as number) & 127;
    let start = at + 2;
    if (size === 126) {
      if (length - at < 4) break;
      size = bytes.readUInt16BE(start);
      start += 2;
    } else if (size === 127) {
      if (length - at < 10) break;
      size = bytes.readUInt32BE(start) * 2 ** 32 + bytes.readUInt32BE(start + 4);
      start += 8;
    }
    if (start + size > length) break;
    onFrame(opcode, bytes, start, start + size);
    at = start + size;
  }
  return at;
}

/** A client's frame. The mask is there, as it must be, and zero, so that the payload stays as it is. */
export function clientFrame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const size = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.alloc(size + 4 + length);
  frame[0] = 0x80 | opcode;
  if (size === 2) frame[1] = 0x80 | length;
  else if (size === 4) {
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 0x80 | 127;
    frame.writeUInt32BE(length, 6);
  }
  payload.copy(frame, size + 4);
  return frame;
}

/** Every payload of the bench begins with these two keys: the message's number, and when it was published, in microseconds. */
const NUMBER = Buffer.from('"n":');
const TIME = Buffer.from('"at":');

/** What a frame holds: the numbers of its messages, in the order they stand there. */
export interface Scan {
  readonly numbers: readonly number[];
  /** Empty unless asked for. */
  readonly times: readonly number[];
}

const NOTHING: Scan = { numbers: [], times: [] };
// Frames longer than this hold several messages; every socket of a room gets the same, so it is worth remembering them.
const LONG = 300;
const REMEMBERED = 16;

/** Finds the bench's messages in frames of any peer without decoding them. */
export class Scanner {
  #remembered: { readonly bytes: Buffer; readonly scan: Scan }[] = [];
  #next = 0;
  #guess = 0;

  scan(bytes: Buffer, start: number, end: number, times: boolean): Scan {
    if (end - start <= LONG || times) return scan(bytes, start, end, times);
    const known = this.#recall(bytes, start, end);
    if (known !== undefined) return known;
    const fresh = scan(bytes, start, end, false);
    this.#remembered[this.#next] = { bytes: Buffer.from(bytes.subarray(start, end)), scan: fresh };
    this.#guess = this.#next;
    this.#next = (this.#next + 1) % REMEMBERED;
    return fresh;
  }

  #recall(bytes: Buffer, start: number, end: number): Scan | undefined {
    const count = this.#remembered.length;
    // One socket's frames come in order, so the one after the last hit is the best guess.
    for (let i = 0; i < count; i++) {
      const at = (this.#guess + i) % count;
      const entry = this.#remembered[at] as { bytes: Buffer; scan: Scan };
      if (entry.bytes.length !== end - start || entry.bytes.compare(bytes, start, end) !== 0) continue;
      this.#guess = at;
      return entry.scan;
    }
    return undefined;
  }
}

function scan(bytes: Buffer, start: number, end: number, withTimes: boolean): Scan {
  let at = bytes.indexOf(NUMBER, start);
  if (at < 0 || at >= end) return NOTHING;
  const numbers: number[] = [];
  const times: number[] = [];
  while (at >= 0 && at < end) {
    numbers.push(digits(bytes, at + NUMBER.length));
    if (withTimes) {
      const time = bytes.indexOf(TIME, at);
      if (time >= 0 && time < end) times.push(digits(bytes, time + TIME.length));
    }
    at = bytes.indexOf(NUMBER, at + NUMBER.length);
  }
  return { numbers, times };
}

function digits(bytes: Buffer, from: number): number {
  let value = 0;
  for (let at = from; ; at++) {
    const digit = (bytes[at] as number) - 48;
    if (digit < 0 || digit > 9 || Number.isNaN(digit)) return value;
    value = value * 10 + digit;
  }
}

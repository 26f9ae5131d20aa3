import { randomBytes } from "node:crypto";

// Nobody can know it who could write it into a message, and it never leaves the process.
const MARK = randomBytes(16).toString("hex");
const MARKED = new RegExp(`"${MARK}(\\d+)\\."`, "g");

/** The texts that are being written; undefined where nobody puts them in. */
let texts: string[] | undefined;

/**
 * JSON text that is to be written as it is, wherever it stands in what is written. JavaScript's numbers are doubles: parsed and
 * written anew, an integer above 2^53 would be another one for clients in other languages.
 */
export class RawJson {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toJSON(): unknown {
    // Written by somebody who does not put texts in, it is what it would have been.
    return texts === undefined ? (JSON.parse(this.#text) as unknown) : `${MARK}${texts.push(this.#text) - 1}.`;
  }
}

/** `JSON.stringify`, with the texts of what is raw as they are. */
export function stringifyRaw(value: unknown): string {
  return putIn(() => [JSON.stringify(value)])[0] as string;
}

/** Has an encoder of socket.io put in the texts of what is raw. */
export function encodesRaw<Packet>(encoder: { encode(packet: Packet): unknown[] }): void {
  const encode = encoder.encode.bind(encoder);
  encoder.encode = (packet) => putIn(() => encode(packet));
}

function putIn(write: () => unknown[]): unknown[] {
  const outer = texts;
  const mine: string[] = [];
  texts = mine;
  let written: unknown[];
  try {
    written = write();
  } finally {
    texts = outer;
  }
  if (mine.length === 0) return written;
  return written.map((part) => (typeof part === "string" ? part.replace(MARKED, (_match, index) => mine[Number(index)] as string) : part));
}

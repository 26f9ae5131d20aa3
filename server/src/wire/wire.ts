import type { BellwireError, TopicPosition } from "@bellwire/protocol";
import type { Message } from "../feed/message.js";

/** What a codec has made of something that is to be written: any number of wires of its kind may write it. Nobody else looks into it. */
export type Frame = object;

/** Messages of one topic, in offset order, all of one epoch. */
export interface Batch {
  readonly site: string;
  /** As clients know it. */
  readonly topic: string;
  readonly epoch: string;
  readonly messages: readonly Message[];
}

/** How a resync is to be gone about. */
export interface ResyncHow {
  /** Milliseconds over which refetches are to be spread. */
  readonly spread: number;
  readonly cause: string;
}

let codecs = 0;

/** The number of the next codec: small, so that arrays can be indexed by it. */
export function codecNumber(): number {
  return codecs++;
}

/** How one kind of wire writes what relays tell. There is one object for each kind, and nothing in it of any connection. */
export interface Codec {
  /** From `codecNumber`. */
  readonly number: number;
  messages(batch: Batch): Frame;
  positions(site: string, list: readonly TopicPosition[]): Frame;
  resync(site: string, list: readonly TopicPosition[], how: ResyncHow): Frame;
  /** Anything else. What is raw in the arguments is written as it is. */
  event(site: string, name: string, args: readonly unknown[]): Frame;
}

/** One client's connection, whatever carries it. Nothing of it throws, whatever state it is in. */
export interface Wire {
  readonly codec: Codec;
  /** Another one after each reconnect. */
  readonly id: string;
  /**
   * Writes a frame of its codec, after all that was written before.
   * @returns bytes that the peer has not taken yet, as far as can be seen; infinite where it is too much whatever its size
   */
  write(frame: Frame): number;
  /** Says why, then closes as soon as that was taken: in such a way that clients come back by themselves, unless they never should. */
  bye(error: BellwireError): void;
  /** Closes without waiting for what the peer never took. */
  drop(error: BellwireError): void;
}

/** What the same thing is for wires of different kinds: made once for each kind in use, when the first of it asks. */
export class Frames {
  readonly #encode: (codec: Codec) => Frame;
  readonly #made: (Frame | undefined)[] = [];

  constructor(encode: (codec: Codec) => Frame) {
    this.#encode = encode;
  }

  for(codec: Codec): Frame {
    return (this.#made[codec.number] ??= this.#encode(codec));
  }
}

import type { Message } from "./message.js";

/** How much of a log's tail a feed keeps in memory. */
export interface RingLimits {
  readonly messages: number;
  readonly bytes: number;
}

/**
 * The tail of one topic's log in memory, contiguous and of one epoch: everything after `base` up to the head.
 * Pure: nothing here reads a clock or a socket.
 */
export class Ring {
  #items: Message[] = [];
  /** Index of the first item still held; items before it are dropped in bulk. */
  #start = 0;
  #bytes = 0;
  #base = 0;
  #whole = true;

  /** The offset after which everything is held. */
  get base(): number {
    return this.#base;
  }

  /** True while the ring holds all that the log holds, so that looking into the log would find no more. */
  get whole(): boolean {
    return this.#whole;
  }

  get size(): number {
    return this.#items.length - this.#start;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Starts anew with what a read found.
   * @param head the log's head; the messages must be contiguous up to it, or what comes before the last break is left out
   * @param everything true when the read asked for all that the log holds
   */
  reset(head: number, messages: readonly Message[], everything: boolean, limits: RingLimits): void {
    let first = messages.length;
    for (let expected = head; first > 0 && messages[first - 1]?.offset === expected; expected--) first--;
    this.#items = messages.slice(first);
    this.#start = 0;
    this.#bytes = this.#items.reduce((sum, message) => sum + message.bytes, 0);
    this.#base = head - this.#items.length;
    this.#whole = everything || this.#base === 0;
    this.#trim(limits);
  }

  /**
   * Takes in what a read of the whole log found of the time before `base`; nothing where that does not reach up to it.
   * @param messages contiguous, in order
   */
  prepend(messages: readonly Message[], limits: RingLimits): void {
    const before = messages.filter(({ offset }) => offset <= this.#base);
    if (this.#base > 0 && before[before.length - 1]?.offset !== this.#base) return;
    this.#items = [...before, ...this.#items.slice(this.#start)];
    this.#start = 0;
    this.#bytes += before.reduce((sum, message) => sum + message.bytes, 0);
    this.#base -= before.length;
    this.#whole = true;
    this.#trim(limits);
  }

  /** Adds the next message. Its offset must be the head's + 1; the caller has checked. */
  push(message: Message, limits: RingLimits): void {
    this.#items.push(message);
    this.#bytes += message.bytes;
    this.#trim(limits);
  }

  /** The oldest message that is held. */
  get first(): Message | undefined {
    return this.#items[this.#start];
  }

  /** The messages after an offset, or undefined where the ring does not reach that far back. */
  after(offset: number): readonly Message[] | undefined {
    if (offset < this.#base) return undefined;
    return this.#items.slice(this.#start + offset - this.#base);
  }

  /** The newest message that satisfies the test. */
  findLast(test: (message: Message, newest: boolean) => boolean): Message | undefined {
    for (let i = this.#items.length - 1; i >= this.#start; i--) {
      const message = this.#items[i] as Message;
      if (test(message, i === this.#items.length - 1)) return message;
    }
    return undefined;
  }

  /** How many of the messages held are younger than a time, epoch milliseconds. They came in the order of their times. */
  countAfter(time: number): number {
    let [low, high] = [this.#start, this.#items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#items[middle] as Message).time > time) high = middle;
      else low = middle + 1;
    }
    return this.#items.length - low;
  }

  #trim(limits: RingLimits): void {
    while (this.size > 1 && (this.size > limits.messages || this.#bytes > limits.bytes)) {
      // By count the log has dropped it too, and all before it; by bytes only we have.
      this.#whole = this.size > limits.messages;
      this.#bytes -= (this.#items[this.#start] as Message).bytes;
      this.#start++;
      this.#base++;
    }
    if (this.#start > 64 && this.#start > this.#items.length / 2) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
  }
}

import { BellwireError, isEpoch, isOffset, type Position } from "@bellwire/protocol";
import type { Publication } from "../transport.js";

/** Characters of data in one call of the script: it keeps Redis from everything else while it runs. */
const MOST_CHARACTERS = 100_000;

interface Waiting {
  readonly resolve: (position: Position) => void;
  readonly reject: (error: BellwireError) => void;
}

/** Appends to one log that are sent as one call of the script. */
export class AppendBatch {
  readonly key: string;
  /** Milliseconds that the most impatient of its callers waits. */
  timeout: number = Number.POSITIVE_INFINITY;
  readonly #keys: string[];
  readonly #arguments: (string | number)[];
  readonly #waiting: Waiting[] = [];
  #characters = 0;

  constructor(key: string, messages: number, age: number) {
    this.key = key;
    this.#keys = [key];
    this.#arguments = [messages, age];
  }

  get full(): boolean {
    return this.#characters >= MOST_CHARACTERS;
  }

  /** @param idempotency the name of the key that holds its id; undefined where the caller gave none */
  add({ data, id, except, retry }: Publication, idempotency: string | undefined, timeout: number): Promise<Position> {
    let marks = retry ? "r" : "";
    if (idempotency !== undefined) {
      this.#keys.push(idempotency);
      marks += "k";
    }
    this.#arguments.push(data, id, except === undefined ? "" : JSON.stringify(except), marks);
    this.#characters += data.length;
    if (timeout < this.timeout) this.timeout = timeout;
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** What append.lua is called with. */
  get call(): (string | number)[] {
    return [this.#keys.length, ...this.#keys, ...this.#arguments];
  }

  /** Tells each caller where its message stands. @throws BellwireError `internal` for what is no reply of the script */
  settle(reply: unknown): void {
    const [epoch, ...found] = typeof reply === "string" ? reply.split(" ") : [];
    const offsets = found.map((text) => Number.parseInt(text, 10));
    if (!isEpoch(epoch) || offsets.length !== this.#waiting.length || !offsets.every(isOffset)) {
      throw new BellwireError("internal", "Redis answered something that is no position");
    }
    this.#waiting.forEach(({ resolve }, i) => resolve({ epoch, offset: offsets[i] as number }));
  }

  fail(error: BellwireError): void {
    for (const { reject } of this.#waiting) reject(error);
  }
}

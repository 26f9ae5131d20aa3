import type { Code } from "@bellwire/protocol";

/** Something that happened to a connection. */
export interface Happening {
  /** Epoch milliseconds. */
  readonly time: number;
  readonly connection: string;
  readonly event: "opened" | "subscribed" | "unsubscribed" | "closed";
  /** Of a subscription: the topic as the client knows it. */
  readonly topic?: string;
  /** Of an end that the relay brought about. */
  readonly code?: Code;
}

/** Happenings that are kept, of all connections together: bounded, however many connections there are. */
export const MOST_KEPT = 10_000;

/** What happened to connections of late, also to those that are gone. The oldest are forgotten first. */
export class Journal {
  readonly #kept: Happening[] = [];
  readonly #most: number;
  /** Where the next one goes, once all places are taken. */
  #next = 0;

  constructor(most: number = MOST_KEPT) {
    this.#most = most;
  }

  add(happening: Happening): void {
    if (this.#kept.length < this.#most) {
      this.#kept.push(happening);
      return;
    }
    this.#kept[this.#next] = happening;
    this.#next = (this.#next + 1) % this.#most;
  }

  /** What is known of one connection, the oldest first. @param most the newest so many */
  of(connection: string, most: number): Happening[] {
    const found: Happening[] = [];
    const { length } = this.#kept;
    for (let i = 1; i <= length && found.length < most; i++) {
      const happening = this.#kept[(this.#next - i + length * 2) % length] as Happening;
      if (happening.connection === connection) found.push(happening);
    }
    return found.reverse();
  }
}

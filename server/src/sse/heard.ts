import { isEpoch, isOffset, isTopic, type Position } from "@bellwire/protocol";

/** Characters of an id that are read; it travels in a header, beside others. */
export const MAX_ID_LENGTH = 8192;
// Characters of JSON that an id stands for. What does not fit in is told to refetch when it comes back.
const MAX_TEXT_LENGTH = 4096;

/** Where a connection is in one topic. */
interface Place extends Position {
  /** Filters that the server subscribed; what the client asked for is there whatever it asks for. */
  readonly held: Set<string>;
  text: string | undefined;
}

/** Where a client was, as its last id says it. */
export interface Returned {
  /** Undefined: nothing is known of it. */
  positionOf(topic: string): Position | undefined;
  /** Whether the server's subscription of this filter was there. @param filter in its canonical form */
  held(topic: string, filter: string): boolean;
}

/**
 * What one connection has heard of each of its topics, and the id that says so: base64url of JSON, a list of
 * `[topic, epoch, offset, ...filters that the server subscribed]`. Nothing here writes.
 */
export class Heard {
  readonly #places = new Map<string, Place>();
  #id: string | undefined;

  position(topic: string): Position | undefined {
    return this.#places.get(topic);
  }

  /** Whether a message is still to be told. */
  isNew(topic: string, epoch: string, offset: number): boolean {
    const place = this.#places.get(topic);
    return place === undefined || place.epoch !== epoch || offset > place.offset;
  }

  /** From here on, also where that is further back. */
  set(topic: string, { epoch, offset }: Position): void {
    const held = this.#places.get(topic)?.held ?? new Set();
    this.#places.set(topic, { epoch, offset, held, text: undefined });
    this.#id = undefined;
  }

  /** Up to here, unless it has been further. Answers whether that is news. */
  raise(topic: string, position: Position): boolean {
    const isNew = this.isNew(topic, position.epoch, position.offset);
    if (isNew) this.set(topic, position);
    return isNew;
  }

  /** The server has subscribed a filter of a topic whose position is known. */
  hold(topic: string, filter: string): void {
    const place = this.#places.get(topic);
    if (place === undefined) return;
    place.held.add(filter);
    place.text = this.#id = undefined;
  }

  /** The server has ended it. */
  release(topic: string, filter: string): void {
    const place = this.#places.get(topic);
    if (place === undefined || !place.held.delete(filter)) return;
    place.text = this.#id = undefined;
  }

  get id(): string {
    if (this.#id === undefined) {
      let text = "";
      for (const [topic, place] of this.#places) {
        place.text ??= JSON.stringify([topic, place.epoch, place.offset, ...place.held]);
        if (text.length + place.text.length > MAX_TEXT_LENGTH) continue;
        text += (text === "" ? "" : ",") + place.text;
      }
      this.#id = Buffer.from(`[${text}]`).toString("base64url");
    }
    return this.#id;
  }
}

const NOWHERE: Returned = { positionOf: () => undefined, held: () => false };

/**
 * Reads an id that a client comes back with. Whatever is no such id says that nothing is known.
 * @param id undefined or empty: the client comes for the first time, as does what is returned then
 */
export function parseId(id: string | undefined): Returned | undefined {
  if (id === undefined || id === "") return undefined;
  const places = id.length > MAX_ID_LENGTH ? undefined : parseList(id);
  if (places === undefined) return NOWHERE;
  return {
    positionOf: (topic) => places.get(topic),
    held: (topic, filter) => places.get(topic)?.held.has(filter) === true,
  };
}

function parseList(id: string): Map<string, Pick<Place, "epoch" | "offset" | "held">> | undefined {
  let list: unknown;
  try {
    list = JSON.parse(Buffer.from(id, "base64url").toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(list)) return undefined;
  const places = new Map<string, Pick<Place, "epoch" | "offset" | "held">>();
  for (const item of list as unknown[]) {
    if (!Array.isArray(item)) return undefined;
    const [topic, epoch, offset, ...held] = item as unknown[];
    if (!isTopic(topic) || !isEpoch(epoch) || !isOffset(offset)) return undefined;
    places.set(topic, { epoch, offset, held: new Set(held.filter((filter) => typeof filter === "string")) });
  }
  return places;
}

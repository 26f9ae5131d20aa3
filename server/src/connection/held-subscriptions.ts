import { asObject, isReservedTopic, isTopic, parseFilter, parsePosition, type ParsedFilter, type Position } from "@bellwire/protocol";
import type { Since } from "../feed/recovery.js";

/** Which subscriptions of one connection the server made, and where the client left those that it had before. */
export class HeldSubscriptions {
  readonly #begun = new Set<string>();
  readonly #since: Map<string, Position>;
  #count = 0;

  /** @param since where the client is, by what `nameOf` gives */
  constructor(since: Map<string, Position> = new Map()) {
    this.#since = since;
  }

  /** The id of a new subscription and where it begins; undefined where the server has made one of this topic and filter. */
  begin(topic: string, filter: ParsedFilter): { readonly id: string; readonly since: Since } | undefined {
    const name = nameOf(topic, filter);
    if (this.#begun.has(name)) return undefined;
    this.#begun.add(name);
    const position = this.#since.get(name);
    this.#since.delete(name);
    // A personal topic's name, which begins with $ too, is its id.
    const id = isReservedTopic(topic) ? topic : `$${++this.#count}`;
    return { id, since: position === undefined ? { first: true, replay: true } : { position } };
  }

  end(topic: string, filter: ParsedFilter): void {
    this.#begun.delete(nameOf(topic, filter));
  }

  /** It could not be made: made later, it begins where the client is all the same. */
  unmade(topic: string, filter: ParsedFilter, since: Since): void {
    this.end(topic, filter);
    if ("position" in since) this.#since.set(nameOf(topic, filter), since.position);
  }
}

/**
 * Reads `auth.since`, `[{topic, filter?, epoch, offset}]`. What is wrong is left out: that subscription then begins as a new one.
 * @param most items that are read
 */
export function parseHeldSince(value: unknown, most: number): HeldSubscriptions | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const since = new Map<string, Position>();
  for (const item of value.slice(0, most)) {
    try {
      const source = asObject(item);
      if (isTopic(source?.topic)) since.set(nameOf(source.topic, parseFilter(source.filter)), parsePosition(source));
    } catch {
      // Left out.
    }
  }
  return since.size === 0 ? undefined : new HeldSubscriptions(since);
}

/** A topic holds no brace, so the name can be read in one way only. */
function nameOf(topic: string, { canonical }: ParsedFilter): string {
  return topic + canonical;
}

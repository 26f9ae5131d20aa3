import { asObject, isReservedTopic, isTopic, parseFilter, parsePosition, type ParsedFilter, type Position } from "@bellwire/protocol";
import type { Since } from "../feed/recovery.js";

/** Where a client comes from with a subscription that the server makes; undefined: it never had it, or has had it since. */
export type HeldSince = (topic: string, filter: ParsedFilter) => Since | undefined;

const NEVER_HAD: HeldSince = () => undefined;

/** Which subscriptions of one connection the server made, and where the client left those that it had before. */
export class HeldSubscriptions {
  readonly #begun = new Set<string>();
  readonly #since: HeldSince;
  /** Where those begin that could not be made for now; undefined where there were none. */
  #unmade: Map<string, Since> | undefined;
  #count = 0;

  constructor(since: HeldSince = NEVER_HAD) {
    this.#since = since;
  }

  /** The id of a new subscription and where it begins; undefined where the server has made one of this topic and filter. */
  begin(topic: string, filter: ParsedFilter): { readonly id: string; readonly since: Since } | undefined {
    const name = nameOf(topic, filter);
    if (this.#begun.has(name)) return undefined;
    this.#begun.add(name);
    // A personal topic's name, which begins with $ too, is its id.
    const id = isReservedTopic(topic) ? topic : `$${++this.#count}`;
    const since = this.#unmade?.get(name) ?? this.#since(topic, filter);
    this.#unmade?.delete(name);
    return { id, since: since ?? { first: true, replay: true } };
  }

  end(topic: string, filter: ParsedFilter): void {
    this.#begun.delete(nameOf(topic, filter));
  }

  /** It could not be made: made later, it begins where the client is all the same. */
  unmade(topic: string, filter: ParsedFilter, since: Since): void {
    this.end(topic, filter);
    if (!("first" in since)) (this.#unmade ??= new Map<string, Since>()).set(nameOf(topic, filter), since);
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
  if (since.size === 0) return undefined;
  return new HeldSubscriptions((topic, filter) => {
    const name = nameOf(topic, filter);
    const position = since.get(name);
    since.delete(name); // one that is made anew begins anew
    return position === undefined ? undefined : { position };
  });
}

/** A topic holds no brace, so the name can be read in one way only. */
function nameOf(topic: string, { canonical }: ParsedFilter): string {
  return topic + canonical;
}

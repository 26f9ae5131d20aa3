import type { Content, FleetRecord, LogEntry, Place } from "./record.js";

/** A message that stands, or stood, in a log. */
export interface TrueMessage extends Place {
  readonly content: Content;
  /** The earliest moment at which it can have been appended. */
  since: number;
  /** The latest moment by which it stood in the log. */
  by: number;
}

/** A message on its way. */
export interface Publication {
  readonly content: Content;
  readonly started: number;
  place: Place | undefined;
  settled: number | undefined;
}

/**
 * The truth about the logs: every acknowledged publish, whatever any subscriber heard, and what stands in Redis at the end.
 * What contradicts itself there is a violation of its own.
 */
export class Ledger {
  readonly world: string;
  readonly #publications: Publication[] = [];
  /** Contradictions that were seen while publishing. */
  readonly complaints: string[] = [];

  constructor(world: string) {
    this.world = world;
  }

  get published(): number {
    return this.#publications.length;
  }

  get acknowledged(): number {
    return this.#publications.filter(({ place }) => place !== undefined).length;
  }

  /** Notes a message that is about to be published. */
  begin(site: string, topic: string, keys: Readonly<Record<string, unknown>>): Publication {
    const content: Content = { ...keys, n: this.#publications.length, world: this.world, site, topic };
    const publication: Publication = { content, started: Date.now(), place: undefined, settled: undefined };
    this.#publications.push(publication);
    return publication;
  }

  /** Notes where it stands; undefined where nobody knows whether it does. */
  settle(publication: Publication, place: Place | undefined): void {
    publication.settled = Date.now();
    publication.place = place;
  }

  byNumber(n: unknown): Content | undefined {
    return typeof n === "number" ? this.#publications[n]?.content : undefined;
  }

  /** All that is known to have been in the logs, by `site:topic`, in the order of epoch and offset; and what speaks against it. */
  truth(fleets: readonly FleetRecord[], entries: readonly LogEntry[] = []): { logs: Map<string, TrueMessage[]>; violations: string[] } {
    const violations: string[] = [];
    const found = new Map<string, TrueMessage>();
    const add = (place: Place, content: Content, since: number, by: number): void => {
      const key = `${content.site}:${content.topic} ${place.epoch}-${place.offset}`;
      const known = found.get(key);
      if (known === undefined) found.set(key, { epoch: place.epoch, offset: place.offset, content, since, by });
      else if (known.content.n !== content.n) violations.push(`${key} is both message ${known.content.n} and message ${content.n}`);
      else {
        known.since = Math.max(known.since, since);
        known.by = Math.min(known.by, by);
      }
    };
    for (const { content, started, place, settled } of this.#publications) {
      if (place !== undefined) add(place, content, started, settled as number);
    }
    for (const { subscriptions } of fleets) {
      for (const { heard } of subscriptions) {
        for (const one of heard) {
          // What is not ours is for the checker to say.
          const content = one.kind === "message" && one.data.world === this.world ? this.byNumber(one.data.n) : undefined;
          if (content !== undefined && one.kind === "message") add(one, content, one.time, one.at);
        }
      }
    }
    for (const entry of entries) {
      const content = this.byNumber((entry.data as { n?: unknown } | null)?.n);
      if (content !== undefined) add(entry, content, entry.time, entry.time + 100);
    }
    return { logs: sorted(found.values(), violations), violations };
  }
}

function sorted(messages: Iterable<TrueMessage>, violations: string[]): Map<string, TrueMessage[]> {
  const logs = new Map<string, TrueMessage[]>();
  for (const message of messages) {
    const name = `${message.content.site}:${message.content.topic}`;
    const log = logs.get(name);
    if (log === undefined) logs.set(name, [message]);
    else log.push(message);
  }
  for (const [name, log] of logs) {
    log.sort((a, b) => Number(a.epoch) - Number(b.epoch) || a.offset - b.offset);
    // The same message twice in one epoch: a retry that did not find what it retried. In another epoch it may stand again.
    const places = new Map<string, number>();
    for (const { epoch, offset, content } of log) {
      const key = `${epoch} ${content.n}`;
      if (places.has(key))
        violations.push(`message ${content.n} stands twice in ${name}, epoch ${epoch}: at ${places.get(key)} and ${offset}`);
      places.set(key, offset);
    }
  }
  return logs;
}

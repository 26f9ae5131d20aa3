import { isSite, isTopic, parseFilter, type ParsedFilter } from "@bellwire/protocol";

/** Is anybody watching what may be published to this topic? Of the filter, what the message is known to hold. */
export interface WatchQuestion {
  readonly site: string;
  readonly topic: string;
  /** Matches everything where nothing is known. */
  readonly filter: ParsedFilter;
}

/** Reads another relay's question; undefined for what is none. */
export function parseWatchQuestion(site: unknown, topic: unknown, filter: unknown): WatchQuestion | undefined {
  if (!isSite(site) || !isTopic(topic)) return undefined;
  try {
    return { site, topic, filter: parseFilter(filter) };
  } catch {
    return undefined;
  }
}

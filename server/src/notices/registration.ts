import { asObject, isSite, isTopic, parseFilter, filterObject } from "@bellwire/protocol";
import type { Notice, Party, Place } from "./notice.js";

// How a relay's registration is written: a hash. What is read may be anybody's.
//   c:<connection>            {site, user, session, client, connection, times}
//   e:<id of the notice>      the notice
//   t:<site>:<topic>:<filter> the place: {site, topic, filter?}

const EVENTS: ReadonlySet<unknown> = new Set(["connected", "disconnected", "occupied", "vacated"]);

export const fieldOf = {
  party: (connection: string): string => `c:${connection}`,
  notice: (id: string): string => `e:${id}`,
  place: ({ site, topic, filter }: Place): string => `t:${site}:${topic}:${filter === undefined ? "" : JSON.stringify(filter)}`,
} as const;

/** What one field says; undefined for garbage. */
export function parseField(
  field: string,
  value: string,
): { readonly party: Party } | { readonly notice: Notice } | { readonly place: Place } | undefined {
  let source: Record<string, unknown> | undefined;
  try {
    source = asObject(JSON.parse(value));
  } catch {
    return undefined;
  }
  if (source === undefined || !isSite(source.site)) return undefined;
  if (field.startsWith("t:")) return parsePlace(source);
  const { site, user, session, client, connection } = source;
  const texts = [user, session, client, connection];
  if (!texts.every((text) => typeof text === "string" && text.length <= 256)) return undefined;
  const party = { site, user, session, client, connection } as Omit<Party, "times">;
  if (field.startsWith("c:")) {
    return Number.isSafeInteger(source.times) ? { party: { ...party, times: source.times as number } } : undefined;
  }
  const { event, id, time } = source;
  const sound = EVENTS.has(event) && typeof id === "string" && id.length <= 256 && Number.isSafeInteger(time);
  return field.startsWith("e:") && sound ? { notice: source as unknown as Notice } : undefined;
}

function parsePlace({ site, topic, filter }: Record<string, unknown>): { place: Place } | undefined {
  if (!isTopic(topic)) return undefined;
  try {
    return { place: { site: site as string, topic, filter: filter === undefined ? undefined : filterObject(parseFilter(filter)) } };
  } catch {
    return undefined;
  }
}

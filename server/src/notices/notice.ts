import type { Filter } from "@bellwire/protocol";
import type { NoticeEvent } from "../hooks/settings.js";

/** What a backend is told of. Empty strings stand for "none"; `occupied` and `vacated` are about nobody in particular. */
export interface Notice {
  readonly event: NoticeEvent;
  /** The same in each attempt to tell it, from whichever relay: a backend that has seen it leaves it out. */
  readonly id: string;
  /** Epoch milliseconds; of `occupied` and `vacated` by Redis's clock, so that those of one topic can be ordered by it. */
  readonly time: number;
  readonly site: string;
  readonly user: string;
  readonly session: string;
  readonly client: string;
  readonly connection: string;
  readonly topic?: string;
  /** Where occupied and vacated are told for each filter. */
  readonly filter?: Filter;
  /** Of `disconnected`: Socket.IO's, or `relay-lost`. Of `connected`: `relay-restored`, it had been told to be disconnected. */
  readonly reason?: string;
}

/** The body of one POST. */
export interface NoticeBody {
  readonly v: 1;
  readonly events: readonly Notice[];
}

/** Whose connection it is. */
export interface Party {
  readonly site: string;
  readonly user: string;
  readonly session: string;
  readonly client: string;
  readonly connection: string;
  /** How often it was told to be connected: after `relay-lost` it may be again. */
  readonly times: number;
}

export function connectionNotice(event: "connected" | "disconnected", { times, ...party }: Party, reason?: string): Notice {
  const id = `${party.connection}.${times}.${event}`;
  return { event, id, time: Date.now(), ...party, ...(reason === undefined ? {} : { reason }) };
}

/** A topic, or one filter on it. */
export interface Place {
  readonly site: string;
  readonly topic: string;
  readonly filter: Filter | undefined;
}

export function placeNotice(event: "occupied" | "vacated", { site, topic, filter }: Place, id: string, time: number): Notice {
  const nobody = { user: "", session: "", client: "", connection: "" };
  return { event, id, time, site, ...nobody, topic, ...(filter === undefined ? {} : { filter }) };
}

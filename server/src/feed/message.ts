import { asObject, type JsonObject, type WireMessage } from "@bellwire/protocol";
import type { Except } from "@bellwire/emitter/publication";
import type { Entry } from "../stores/log.js";
import { RawJson } from "../wire/raw-json.js";

/** Whom a message may have to leave out. */
export interface Viewer {
  readonly user: string;
  readonly session: string;
  readonly client: string;
}

const NO_OBJECT: JsonObject = Object.freeze(Object.create(null) as JsonObject);

/** A log entry in a feed's memory, its data parsed at most once. */
export class Message {
  readonly offset: number;
  readonly time: number;
  /** The data's JSON text, as it goes into frames. */
  readonly text: string;
  readonly except: Except | undefined;
  readonly data: JsonObject;
  /** False where the entry's data is no JSON object: it then matches no subscription, and its text never reaches a frame. */
  readonly valid: boolean;

  constructor(entry: Entry) {
    const data = parse(entry.data);
    this.offset = entry.offset;
    this.time = entry.time;
    this.except = entry.except;
    this.valid = data !== undefined;
    this.data = data ?? NO_OBJECT;
    // PHP's empty map arrives as []; clients are promised an object.
    this.text = data !== undefined && entry.data.charCodeAt(0) === 91 ? "{}" : entry.data;
  }

  /** Bytes this message is taken to occupy, roughly: its text, and the parsed form of about twice that. */
  get bytes(): number {
    return this.text.length * 3 + 200;
  }

  /** For acks and answers; the data is written as it was published, as in live messages. */
  toWire(): WireMessage {
    return [this.offset, this.time, new RawJson(this.text) as unknown as JsonObject];
  }
}

function parse(text: string): JsonObject | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** True when the message is not for this viewer. */
export function isExcluded(message: Message, viewer: Viewer): boolean {
  const { except } = message;
  if (except === undefined) return false;
  return (
    (except.user !== undefined && except.user === viewer.user) ||
    (except.session !== undefined && except.session === viewer.session) ||
    (except.client !== undefined && except.client === viewer.client)
  );
}

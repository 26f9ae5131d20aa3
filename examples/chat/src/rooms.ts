import { BellwireError, type JsonObject } from "@bellwire/protocol";
import type { Person } from "./people.js";

/** What somebody said. */
export interface Line {
  /** The page's own id for it: the same again is the same line. */
  readonly id: string;
  /** The person's id. */
  readonly by: string;
  /** What they were called then. */
  readonly name: string;
  readonly text: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

const MAX_ROOMS = 100;
const MAX_LINES = 100;
const MAX_TEXT = 500;
const PREFIX = "room.";

/** May a room have this name? */
export function isRoom(name: unknown): name is string {
  return typeof name === "string" && /^[a-z0-9-]{1,30}$/.test(name);
}

/** The room that a topic like `room.lobby` is of. @throws BellwireError `bad-request` where it is of none */
export function roomOf(topic: string): string {
  const name = topic.startsWith(PREFIX) ? topic.slice(PREFIX.length) : undefined;
  if (!isRoom(name)) throw new BellwireError("bad-request", "There is no such room");
  return name;
}

/** Makes a line of what a page wants to publish. @throws BellwireError `bad-request` in words for whoever wrote it */
export function parseLine({ id, text }: JsonObject, { id: by, name }: Person): Line {
  if (typeof id !== "string" || !/^[\w-]{1,40}$/.test(id)) throw new BellwireError("bad-request", "A message needs an id");
  const trimmed = typeof text === "string" ? text.trim() : "";
  const length = [...trimmed].length;
  if (length === 0) throw new BellwireError("bad-request", "Say something: there is no text");
  if (length > MAX_TEXT) throw new BellwireError("bad-request", `At most ${MAX_TEXT} characters: these are ${length}`);
  return { id, by, name, text: trimmed, at: Date.now() };
}

/** The last lines of the last rooms that somebody spoke in, in memory. */
export class Rooms {
  readonly #rooms = new Map<string, Line[]>();

  /** A page that does not know whether its message went in says it again: the first one stays. Returns the one that is kept. */
  add(room: string, line: Line): Line {
    const lines = this.#rooms.get(room) ?? [];
    const before = lines.find(({ id, by }) => id === line.id && by === line.by);
    if (before !== undefined) return before;
    lines.push(line);
    lines.splice(0, lines.length - MAX_LINES);
    this.#rooms.delete(room);
    this.#rooms.set(room, lines);
    for (const longestQuiet of this.#rooms.keys()) {
      if (this.#rooms.size <= MAX_ROOMS) break;
      this.#rooms.delete(longestQuiet);
    }
    return line;
  }

  /** The oldest first. */
  lines(room: string): readonly Line[] {
    return this.#rooms.get(room) ?? [];
  }
}

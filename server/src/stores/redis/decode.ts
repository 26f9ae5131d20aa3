import { asObject, isOffset } from "@bellwire/protocol";
import type { Except } from "@bellwire/emitter/publication";
import type { RawEntry } from "@bellwire/emitter/redis";
import { isClockEpoch } from "../clock-epochs.js";
import type { Entry, Tail } from "../log.js";

/** A message as it came over a channel. */
export interface Heard {
  readonly epoch: string;
  readonly entry: Entry;
}

/** One page of a log. */
export interface Page extends Tail {
  /** Redis's time when it was read, epoch milliseconds. */
  readonly now: number;
  /** The entries as they came. */
  readonly rows: readonly unknown[];
}

/**
 * Reads a channel payload: epoch, offset, time, id, except and data, joined by newlines. Anybody may write into a
 * channel, so whatever is not exactly that is undefined.
 */
export function decodePayload(payload: string): Heard | undefined {
  const cuts: number[] = [];
  for (let at = -1; cuts.length < 5;) {
    at = payload.indexOf("\n", at + 1);
    if (at < 0) return undefined;
    cuts.push(at);
  }
  const [a, b, c, d, e] = cuts as [number, number, number, number, number];
  const epoch = payload.slice(0, a);
  const entry = makeEntry(payload.slice(a + 1, b), payload.slice(b + 1, c), payload.slice(d + 1, e), payload.slice(e + 1));
  return entry === undefined || entry.offset === 0 || !isLogEpoch(epoch) ? undefined : { epoch, entry };
}

/**
 * Reads the reply of read.lua. The opening entry (offset 0) holds no message and is left out.
 * Returns undefined for what is no such reply; entries that can't be read are left out, and so leave a gap to be noticed.
 */
export function decodePage(reply: unknown): Page | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [epoch, offsetText, rows, time] = reply as unknown[];
  const offset = toOffset(offsetText);
  const now = Number(time);
  if (!isLogEpoch(epoch) || offset === undefined || !Array.isArray(rows) || !Number.isSafeInteger(now)) return undefined;
  return { head: { epoch, offset }, entries: decodeRows(rows, epoch), now, rows };
}

/** Reads entries as XRANGE gives them; those of another epoch, and those that can't be read, are left out. */
export function decodeRows(rows: readonly unknown[], epoch: string): Entry[] {
  const entries: Entry[] = [];
  for (const row of rows) {
    const entry = decodeRow(row, epoch);
    if (entry !== undefined && entry.offset > 0) entries.push(entry);
  }
  return entries;
}

/** The id of the last of these entries, where it has one. */
export function lastIdOf(rows: readonly unknown[]): string | undefined {
  const last = rows[rows.length - 1] as RawEntry | undefined;
  return typeof last?.[0] === "string" ? last[0] : undefined;
}

function decodeRow(row: unknown, epoch: string): Entry | undefined {
  if (!Array.isArray(row)) return undefined;
  const [id, fields] = row as unknown[];
  if (typeof id !== "string" || !Array.isArray(fields) || !id.startsWith(`${epoch}-`)) return undefined;
  const values: Record<string, string> = {};
  for (let i = 0; i + 1 < fields.length; i += 2) values[String(fields[i])] = String(fields[i + 1]);
  return makeEntry(id.slice(epoch.length + 1), values.t ?? "", values.x ?? "", values.d ?? "");
}

function makeEntry(offsetText: string, timeText: string, exceptText: string, data: string): Entry | undefined {
  const offset = toOffset(offsetText);
  const time = Number(timeText);
  if (offset === undefined || !Number.isSafeInteger(time)) return undefined;
  const except = exceptText === "" ? undefined : decodeExcept(exceptText);
  return except === null ? undefined : { offset, time, data, except };
}

function decodeExcept(text: string): Except | null {
  try {
    const source = asObject(JSON.parse(text));
    if (source === undefined) return null;
    const { user, session, client } = source;
    return {
      ...(typeof user === "string" ? { user } : {}),
      ...(typeof session === "string" ? { session } : {}),
      ...(typeof client === "string" ? { client } : {}),
    };
  } catch {
    return null; // whom to leave out is unknown, so the message can't be delivered as it was meant
  }
}

function toOffset(text: unknown): number | undefined {
  const offset = typeof text === "string" && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return isOffset(offset) ? offset : undefined;
}

function isLogEpoch(value: unknown): value is string {
  return typeof value === "string" && isClockEpoch(value);
}

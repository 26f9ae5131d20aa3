import type { Position } from "@bellwire/protocol";
import { decodeRows, lastIdOf, type Page } from "./decode.js";
import type { Entry, Tail } from "../log.js";
import { eachInTurns } from "../../pacing/slices.js";

/** Entries of one page: some tenths of a millisecond of Redis's time. */
export const PAGE_ENTRIES = 100;

// Past them a log grows faster than it is read: what was found is the log as it was a moment ago, and the reader asks again.
const MOST_PAGES = 10_000;

/** How pages are read; each after an entry `<epoch>-<offset>`, or the oldest one for "-". */
export interface PageReader {
  /** With the head, which costs a script. */
  page(after: string): Promise<Page>;
  /** Entries alone, a fifth of that. */
  rows(after: string): Promise<readonly unknown[]>;
}

/**
 * Reads a log page by page. Between two pages it may grow, lose its oldest entries, or begin anew. What is found always leads up to
 * the head that is told; whether it is whole is for the reader to prove, from the offsets, as ever.
 * @param limit messages after which it reads no further: the head that is told then lies beyond them
 */
export async function readInPages(
  reader: PageReader,
  since: Position | undefined,
  limit: number = Number.POSITIVE_INFINITY,
): Promise<Tail> {
  const first = await reader.page(since === undefined ? "-" : `${since.epoch}-${since.offset}`);
  const cut = (entries: readonly Entry[]): Tail => ({ head: first.head, entries: entries.slice(0, limit) });
  if (first.rows.length < PAGE_ENTRIES || first.entries.length >= limit) return cut(first.entries);
  const rows: unknown[] = [...first.rows];
  let full = true;
  for (let pages = 1; pages < MOST_PAGES; pages++) {
    const last = lastIdOf(rows);
    if (last === undefined) break; // no stream gives that
    // The last page tells the head: nothing came after it.
    const page: Page | undefined = full ? undefined : await reader.page(last);
    const more: readonly unknown[] = page?.rows ?? (await reader.rows(last));
    rows.push(...more);
    full = more.length >= PAGE_ENTRIES;
    const found = limit > rows.length ? [] : decodeRows(rows, first.head.epoch);
    if (found.length >= limit) return cut(found);
    if (page !== undefined && !full) return { head: page.head, entries: await decodeAll(rows, page.head.epoch) };
  }
  const { epoch } = first.head;
  const entries = await decodeAll(rows, epoch);
  return { head: { epoch, offset: entries[entries.length - 1]?.offset ?? 0 }, entries };
}

async function decodeAll(rows: readonly unknown[], epoch: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  await eachInTurns(rows, (row) => entries.push(...decodeRows([row], epoch)));
  return entries;
}

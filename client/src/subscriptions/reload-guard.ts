import type { Message } from "../api.js";

/** Milliseconds from a replay to the next load of the page that make it look like the cause of it. */
const SOON = 3000;
const WARN_AT = 3;
const HOLD_AT = 5;
const MOST = 50;
const KEY = "bellwire:replayed";

interface Told {
  /** How often in a row the page was told this and then loaded. */
  readonly count: number;
  readonly at: number;
  /** The load that was told. */
  readonly load: number;
}

/**
 * Notices a callback that loads the page again: that page is told the same last message, and so on without end. Warns once and
 * then holds the message back. Kept in the tab's sessionStorage; where there is none, every replay may be told.
 * @returns whether this replayed message may be told
 */
export function mayReplay({ topic, epoch, offset }: Message): boolean {
  try {
    const load = performance.timeOrigin;
    const all = JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as Record<string, Told>;
    const id = `${topic} ${epoch}-${offset}`;
    const old = all[id];
    if (old?.load === load) return old.count < HOLD_AT;
    const count = old !== undefined && load - old.at < SOON ? old.count + 1 : 1;
    delete all[id];
    const told: Told = { count, at: Date.now(), load };
    sessionStorage.setItem(KEY, JSON.stringify(Object.fromEntries([...Object.entries(all), [id, told]].slice(-MOST))));
    if (count === WARN_AT) {
      console.warn(
        `bellwire: one replayed message of "${topic}" was told to ${count} loads of this page within seconds; does its callback load the page? Then subscribe with {replay: "page"}`,
      );
    }
    return count < HOLD_AT;
  } catch {
    return true;
  }
}

import type { CommandKind } from "./control/command.js";

/** What an error that nobody awaited was about. Empty: the connection to Redis itself, or what an endpoint runs of yours. */
export interface ErrorContext {
  readonly site?: string;
  readonly topic?: string;
  /** Of a command: which one. */
  readonly command?: CommandKind;
}

/** Told of errors that nobody awaited. It may throw or reject: that is ignored. */
export type OnError = (error: Error, context: ErrorContext) => unknown;

/** Makes a reporter of the application's function. It never throws. */
export function createReporter(onError: OnError = createWarner()): (error: unknown, context: ErrorContext) => void {
  return (thrown, context) => {
    try {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
      const result = onError(error, context);
      if (result instanceof Promise) result.catch(ignore);
    } catch {
      // The last resort has failed; there is nobody left to tell.
    }
  };
}

const WARN_EVERY_MS = 60_000;

/** Warns on the console, at most once a minute, and says how many it kept back. */
export function createWarner(warn: (text: string) => void = console.warn, now: () => number = Date.now): OnError {
  let quietUntil = 0;
  let keptBack = 0;
  return (error, { site, topic, command }) => {
    if (now() < quietUntil) {
      keptBack++;
      return;
    }
    const about = site === undefined ? "" : ` ${command ?? topic ?? "a publish"} on site ${site}:`;
    const more = keptBack === 0 ? "" : ` (and ${keptBack} more since the last warning)`;
    quietUntil = now() + WARN_EVERY_MS;
    keptBack = 0;
    warn(`bellwire:${about} ${error.message}${more}`);
  };
}

function ignore(): void {}

/** Where errors go that nobody awaits. */
export type Report = (error: unknown) => void;

/** Calls the application's function. What it throws, or rejects with, is reported and goes no further. */
export function invoke<Args extends readonly unknown[]>(fn: (...args: Args) => unknown, report: Report, ...args: Args): void {
  try {
    const result = fn(...args);
    // Any thenable: a promise of another window is no instance of this one's Promise.
    if (typeof (result as PromiseLike<unknown> | undefined)?.then === "function") Promise.resolve(result).catch(report);
  } catch (error) {
    report(error);
  }
}

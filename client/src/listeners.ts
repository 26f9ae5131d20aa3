import { invoke, type Report } from "./invoke.js";

/** Listeners by event name. One that throws is reported, and the others still hear. */
export class Listeners<Events extends object> {
  readonly #byName: { [Name in keyof Events]?: Set<(event: Events[Name]) => unknown> } = {};

  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => unknown): () => void {
    // Wrapped, so that one function can listen twice and each registration ends on its own.
    const own = (event: Events[Name]): unknown => listener(event);
    const listeners = (this.#byName[name] ??= new Set());
    listeners.add(own);
    return () => listeners.delete(own);
  }

  /** Returns whether anybody listened. */
  emit<Name extends keyof Events>(name: Name, event: Events[Name], report: Report): boolean {
    const listeners = [...(this.#byName[name] ?? [])];
    for (const listener of listeners) invoke(listener, report, event);
    return listeners.length > 0;
  }
}

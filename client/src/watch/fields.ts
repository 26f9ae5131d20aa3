import type { Store } from "./store.js";

/** One field of a store's value: a store that tells of that field's changes alone. */
export function fieldOf<Value, Key extends keyof Value>(store: Store<Value>, key: Key): Store<Value[Key]> {
  return {
    get current() {
      return store.current[key];
    },
    subscribe(onChange) {
      let known = store.current[key];
      return store.subscribe(() => {
        const now = store.current[key];
        if (now === known) return;
        known = now;
        onChange();
      });
    },
  };
}

/** An object that reads each field of a value where it is looked at, in the framework's own way. */
export function fieldsOf<Value extends object>(keys: readonly (keyof Value)[], read: (key: keyof Value) => () => unknown): Value {
  return Object.defineProperties({}, Object.fromEntries(keys.map((key) => [key, { enumerable: true, get: read(key) }]))) as Value;
}

export const WATCHED = ["status", "error", "last", "resync"] as const;
export const PRESENCE = ["status", "error", "users", "count"] as const;

import { forEachEvent } from "./events.js";
import type { Hooks } from "./hooks.js";
import type { LocalHooks } from "./local-hooks.js";
import type { HookEvent } from "./plain.js";

/**
 * Hooks in the same process first; questions that nobody there is to be asked go to the others. The interceptors run around both.
 * A no is a no: nobody else is asked then.
 */
export function composeHooks(local: LocalHooks, others: Hooks): Hooks {
  const { bare } = local;
  return local.around({
    ...forEachEvent<Pick<Hooks, HookEvent>>((event) => {
      const ask = (question: never): unknown => bare[event](question) ?? others[event](question);
      return ask as Hooks[typeof event];
    }),
    get features() {
      return [...new Set([...bare.features, ...others.features])];
    },
    close: async () => {
      await bare.close();
      await others.close();
    },
  });
}

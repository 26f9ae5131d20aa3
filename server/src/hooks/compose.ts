import type { Hooks } from "./hooks.js";
import type { LocalHooks } from "./local-hooks.js";

/**
 * Hooks in the same process first; questions that nobody there is to be asked go to the others. The interceptors run around both.
 * A no is a no: nobody else is asked then.
 */
export function composeHooks(local: LocalHooks, others: Hooks): Hooks {
  const { bare } = local;
  return local.around({
    connect: (question) => bare.connect(question) ?? others.connect(question),
    refresh: (question) => bare.refresh(question) ?? others.refresh(question),
    subscribe: (question) => bare.subscribe(question) ?? others.subscribe(question),
    publish: (question) => bare.publish(question) ?? others.publish(question),
    rpc: (question) => bare.rpc(question) ?? others.rpc(question),
    get features() {
      return [...new Set([...bare.features, ...others.features])];
    },
    close: async () => {
      await bare.close();
      await others.close();
    },
  });
}

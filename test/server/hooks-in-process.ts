import type { PublishQuestion, RpcQuestion } from "../../server/src/hooks/hooks.js";
import { createLocalHooks, type LocalHookOptions, type LocalHooks } from "../../server/src/hooks/local-hooks.js";
import { asker } from "./hooks-backend.js";

export interface Local {
  readonly hooks: LocalHooks;
  readonly reports: [stage: string, message: string][];
  readonly observed: string[];
}

/** Hooks in the same process, and what they reported and counted. */
export function local(options: LocalHookOptions): Local {
  const reports: [string, string][] = [];
  const observed: string[] = [];
  const hooks = createLocalHooks({
    report: (error, stage) => reports.push([stage, (error as Error)?.message ?? String(error)]),
    observe: (event, outcome) => observed.push(`${event} ${outcome}`),
    ...options,
  });
  return { hooks, reports, observed };
}

export const publishing = (topic: string, data: object = {}): PublishQuestion => ({ ...asker(), topic, data: { ...data } });
export const calling = (method: string, data: unknown = null): RpcQuestion => ({ ...asker(), method, data });

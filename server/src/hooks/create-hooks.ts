import type { Config } from "../config/config.js";
import type { Settings } from "../config/settings.js";
import type { Logger } from "../observe/logger.js";
import type { RefusalLog } from "../observe/refusal-log.js";
import type { Stats } from "../observe/stats.js";
import { composeHooks } from "./compose.js";
import type { Hooks } from "./hooks.js";
import { createHttpHooks } from "./http-hooks.js";
import type { LocalHooks } from "./local-hooks.js";

/** What a relay asks its backend: functions in this process first, then the backends of the configuration. */
export function createHooks(parts: {
  readonly config: Config;
  readonly settings: Pick<Settings, "of">;
  readonly stats: Stats;
  readonly logger: Logger;
  readonly local: LocalHooks | undefined;
  readonly refusals: Pick<RefusalLog, "refused">;
}): Hooks {
  const { config, settings, stats, logger, local, refusals } = parts;
  const remote = createHttpHooks(config.hooks, {
    appKey: config.keys.keys[0]?.key ?? "",
    observe: (event, outcome) => stats.countHook(event, outcome),
    warn: (message) => logger.warn(message),
    limitsOf: (site) => settings.of(site).limits,
    onRefused: (site, error) => refusals.refused(site, "question", error),
  });
  return local === undefined ? remote : composeHooks(local, remote);
}

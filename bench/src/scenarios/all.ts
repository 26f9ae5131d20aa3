import type { Scenario } from "../bench.js";
import { burst } from "./burst.js";
import { connect } from "./connect.js";
import { filters } from "./filters.js";
import { hooks } from "./hooks.js";
import { idle } from "./idle.js";
import { memory } from "./memory.js";
import { mixed } from "./mixed.js";
import { publish } from "./publish.js";
import { scale } from "./scale.js";
import { sites } from "./sites.js";
import { steady } from "./steady.js";
import { storm } from "./storm.js";

/** In the order of the results. */
export const allScenarios: readonly Scenario[] = [
  burst,
  steady,
  mixed,
  sites,
  filters,
  idle,
  memory,
  storm,
  publish,
  connect,
  hooks,
  scale,
];

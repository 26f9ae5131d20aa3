import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

/** Arguments with which node runs our sources as they are, from any folder. */
export const TYPESCRIPT: readonly string[] = [
  `--import=${pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href}`,
  "--conditions=source",
];

import { ConfigError } from "../config/reader.js";
import { Failure } from "./failure.js";
import { print, printJson } from "./output.js";
import { ask, refusalOf } from "./relay-answers.js";
import { readSettings, shownAddress } from "./settings.js";

/** Prints what is open on all relays, and how the one that was asked is. Rejects with ConfigError or Failure. */
export async function stats({ json = false }: { json?: boolean }): Promise<void> {
  const { url, apiUrl, apiKey } = readSettings(process.env);
  if (apiKey === undefined) throw new ConfigError("REALTIME_API_KEY is not set: a relay tells its numbers to whoever has it only");
  const [readiness, counts] = await Promise.all([ask(url, "/readyz"), ask(apiUrl, "/v1/counts", apiKey)]);
  if (counts.status !== 200) throw new Failure(`The relay at ${shownAddress(apiUrl)} does not tell: ${refusalOf(counts)}`);
  if (json) return printJson({ url: shownAddress(url), ...readiness.body, ...counts.body });
  const rows = Object.entries({ relay: shownAddress(url), ...readiness.body, ...counts.body });
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) print(`${name.padEnd(width)}  ${typeof value === "object" ? JSON.stringify(value) : String(value)}`);
}

import { ConfigError } from "../config/reader.js";
import { Failure } from "./failure.js";
import { print, printJson } from "./output.js";
import { ask, askReadiness, refusalOf } from "./relay-answers.js";
import { readSettings, shownAddress } from "./settings.js";

/** Prints what is open on all relays, and how the one that was asked is. Rejects with ConfigError or Failure. */
export async function stats({ json = false }: { json?: boolean }): Promise<void> {
  const { url, apiUrl, apiKey } = readSettings(process.env);
  if (apiKey === undefined) throw new ConfigError("REALTIME_API_KEY is not set: a relay tells its numbers to whoever has it only");
  const [{ answer, known }, counts] = await Promise.all([askReadiness({ url, apiUrl }), ask(apiUrl, "/v1/counts", apiKey)]);
  // Whoever answers in a relay's place says nothing of it.
  const readiness = known ? answer.body : {};
  if (counts.status !== 200 && readiness.redis === "down") {
    throw new Failure(
      `The relay at ${shownAddress(url)} can't ask the others what is open, because its Redis is down: start Redis, or check the relay's REDIS_URL; bellwire doctor looks closer`,
    );
  }
  if (counts.status !== 200) throw new Failure(`The relay at ${shownAddress(apiUrl)} does not tell: ${refusalOf(counts)}`);
  if (json) return printJson({ url: shownAddress(url), ...readiness, ...counts.body });
  const rows = Object.entries({ relay: shownAddress(url), ...readiness, ...counts.body });
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) print(`${name.padEnd(width)}  ${typeof value === "object" ? JSON.stringify(value) : String(value)}`);
}

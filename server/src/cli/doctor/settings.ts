import { readConfig } from "../../config/config.js";
import { Reader, type Environment } from "../../config/reader.js";
import { shownAddress } from "../settings.js";
import { ok, warn, type Finding } from "./finding.js";

/** @throws ConfigError where a relay would not start with these settings */
export function* checkSettings(env: Environment): Generator<Finding> {
  const { enabled, production, publicUrl, redis, apiKeys } = readConfig(env);
  const read = new Reader(env);
  yield ok("settings", `can be read, for ${production ? "production" : "development"}; clients connect to ${shownAddress(publicUrl)}`);
  if (!enabled) yield warn("realtime", "is switched off", "REALTIME_ENABLED=true, if that is not meant");

  yield read.text("APP_KEY") === undefined
    ? warn("APP_KEY", "is not set: each relay makes up its own, and no backend can sign", "bellwire init writes a .env with one")
    : ok("APP_KEY", "is set and long enough");
  yield checkApiKey(read.text("REALTIME_API_KEY") !== undefined, production, apiKeys.length);

  if (redis === undefined) {
    yield production
      ? ok("redis", "none, as REALTIME_LOG=memory says: there must be one relay only")
      : warn("redis", "none: messages live in the relay's memory, and there must be one relay only", "set REDIS_URL for more than one");
  }
  if (production && publicUrl.protocol === "ws:" && !/^(localhost|127\.)/.test(publicUrl.hostname)) {
    yield warn("encryption", `${shownAddress(publicUrl)} sends tokens in the clear`, "use wss://, with TLS at the balancer");
  }
}

/** @param known how many keys a relay would take: in development it makes one up */
function checkApiKey(given: boolean, production: boolean, known: number): Finding {
  if (given) return ok("REALTIME_API_KEY", "is set");
  if (!production)
    return warn("REALTIME_API_KEY", "is not set: a relay makes one up unless its file has some", "bellwire init writes a .env with one");
  if (known > 0) return ok("REALTIME_API_KEY", "is not set, and REALTIME_CONFIG has keys");
  return warn("REALTIME_API_KEY", "is not set: the HTTP API under /v1 is closed", "set it, where backends publish over HTTP");
}

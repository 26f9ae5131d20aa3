import { ask, refusalOf } from "../relay-answers.js";
import { shownAddress, type Settings } from "../settings.js";
import { fail, ok, warn, type Finding } from "./finding.js";

/** Asks the relay how it is. @returns whether it can be used at all */
export async function* checkRelay({ url, apiUrl, apiKey }: Settings): AsyncGenerator<Finding, boolean> {
  const address = shownAddress(url);
  let readiness;
  try {
    readiness = await ask(url, "/readyz");
  } catch (error) {
    const [says, remedy] = split((error as Error).message);
    yield fail("relay", says, remedy);
    return false;
  }
  const { status, redis, problem } = readiness.body;
  const why = problem === undefined ? "" : `: ${String(problem)}`;
  if (readiness.status === 200 && status === "ready") yield ok("relay", `${address} is ready (redis: ${String(redis)})`);
  else if (readiness.status === 200 && status === "degraded")
    yield warn("relay", `${address} is degraded, its Redis is ${String(redis)}${why}`, "see what the relay logs about Redis");
  else if (typeof status === "string") {
    yield fail("relay", `${address} is ${status}${why}`, "see what the relay logs");
    return false;
  } else {
    yield fail(
      "relay",
      `${address} answers, and not as a relay does (status ${readiness.status})`,
      "check REALTIME_PUBLIC_URL and the balancer",
    );
    return false;
  }
  if (apiKey !== undefined) yield await checkApi(apiUrl, apiKey);
  return true;
}

async function checkApi(apiUrl: URL, apiKey: string): Promise<Finding> {
  const address = `${shownAddress(apiUrl)}/v1`;
  try {
    const counts = await ask(apiUrl, "/v1/counts", apiKey);
    if (counts.status !== 200)
      return fail("relay API", `${address}: ${refusalOf(counts)}`, "give relays and backends the same REALTIME_API_KEY");
    const { relays, missing } = counts.body;
    if (Number(missing) > 0) {
      return warn(
        "relay API",
        `${String(missing)} relays are connected and did not answer`,
        "look at those relays: they are silent or overloaded",
      );
    }
    return ok("relay API", `${address} answers, for ${String(relays)} relay${relays === 1 ? "" : "s"}`);
  } catch (error) {
    const [says] = split((error as Error).message);
    return fail("relay API", says, "check REALTIME_INTERNAL_PORT and the balancer");
  }
}

/** What is wrong, and what comes after the colon: what to do. */
function split(message: string): [says: string, remedy: string] {
  const at = message.lastIndexOf(": ");
  return at < 0 ? [message, "see what the relay logs"] : [message.slice(0, at), message.slice(at + 2)];
}

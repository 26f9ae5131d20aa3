import { ask, askReadiness, refusalOf, type Readiness } from "../relay-answers.js";
import { shownAddress, type Settings } from "../settings.js";
import { fail, ok, warn, type Finding } from "./finding.js";

/** Seconds by which clocks may differ before it is worth a word, or breaks tokens; a Date header has whole ones. */
const CLOCK = { differs: 2, wrong: 30 } as const;

export interface RelayFound {
  /** Whether anything further can be tried. */
  readonly works: boolean;
  /** Whether there is a `/v1` to publish over, whatever it says of the key. */
  readonly api: boolean;
  /** Seconds by which its clock is ahead of this machine's, as far as it says. */
  readonly ahead: number | undefined;
}

const NONE: RelayFound = { works: false, api: false, ahead: undefined };

/** Asks the relay how it is. */
export async function* checkRelay({ url, apiUrl, apiKey }: Settings): AsyncGenerator<Finding, RelayFound> {
  let readiness: Readiness;
  try {
    readiness = await askReadiness({ url, apiUrl });
  } catch (error) {
    const [says, remedy] = split((error as Error).message);
    yield fail("relay", says, remedy);
    return NONE;
  }
  const { answer, known } = readiness;
  yield findingOf(readiness);
  if (known && answer.status !== 200) return NONE;
  const ahead = known ? answer.ahead : undefined;
  yield* checkClock(shownAddress(readiness.url), ahead);
  if (apiKey === undefined) return { works: true, api: false, ahead };
  const api = await checkApi(apiUrl, apiKey, String(answer.body.redis));
  yield api;
  if (known) yield* checkRefusals(apiUrl);
  return { works: true, api: api.remedy !== KEPT_INSIDE, ahead };
}

function findingOf({ url, answer, known }: Readiness): Finding {
  const address = shownAddress(url);
  const { status, redis, problem } = answer.body;
  if (!known) {
    const says = `${address} answers, and does not tell how a relay is (status ${answer.status}), as behind a proxy that keeps /readyz inside`;
    return warn("relay", says, "see what follows; with REALTIME_INTERNAL_PORT, on the relay's machine, it is asked itself");
  }
  const why = problem === undefined ? "" : `: ${String(problem)}`;
  if (answer.status === 200 && status === "ready") return ok("relay", `${address} is ready (redis: ${String(redis)})`);
  if (answer.status === 200)
    return warn("relay", `${address} is ${String(status)}, its Redis is ${String(redis)}${why}`, "see what the relay logs about Redis");
  return fail("relay", `${address} is ${String(status)}${why}`, "see what the relay logs");
}

function* checkClock(address: string, ahead: number | undefined): Generator<Finding> {
  if (ahead === undefined || Math.abs(ahead) < CLOCK.differs) return;
  const says = `that of ${address} is ${clockWords(ahead)} this machine's`;
  const remedy = "keep the clocks of relays and backends by NTP: tokens carry times";
  yield Math.abs(ahead) >= CLOCK.wrong ? fail("relay clock", says, remedy) : warn("relay clock", says, remedy);
}

/** E.g. "90 s ahead of". */
export function clockWords(ahead: number): string {
  return `${Math.round(Math.abs(ahead))} s ${ahead < 0 ? "behind" : "ahead of"}`;
}

const KEPT_INSIDE = "set REALTIME_INTERNAL_PORT where that port can be reached; what publishes over HTTP has to reach it";

async function checkApi(apiUrl: URL, apiKey: string, redis: string): Promise<Finding> {
  const address = `${shownAddress(apiUrl)}/v1`;
  try {
    const counts = await ask(apiUrl, "/v1/counts", apiKey);
    if (counts.status === 404) return warn("relay API", `${address} is not there, as behind a proxy that keeps it inside`, KEPT_INSIDE);
    if (counts.status === 503 && redis === "down")
      return fail(
        "relay API",
        `${address}: the relay can't ask the others while its Redis is down`,
        "start Redis, or check the relay's REDIS_URL",
      );
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

/** What the relay has refused since it started tells of backends that this machine knows nothing of. */
async function* checkRefusals(apiUrl: URL): AsyncGenerator<Finding> {
  const metrics = await ask(apiUrl, "/metrics").catch(() => undefined);
  const refused = (code: string): number =>
    Number(new RegExp(`^bellwire_refusals_total\\{code="${code}"\\} (\\d+)`, "m").exec(metrics?.text ?? "")?.[1] ?? 0);
  const [invalid, expired] = [refused("token-invalid"), refused("token-expired")];
  if (invalid > 0) {
    yield warn(
      "refusals",
      `the relay has refused ${tokens(invalid)} as token-invalid since it started`,
      "a backend may sign with another APP_KEY: bellwire doctor --endpoint <its token endpoint> tells",
    );
  }
  if (expired > 0) {
    yield warn(
      "refusals",
      `the relay has refused ${tokens(expired)} as token-expired since it started`,
      "a backend's clock may be behind: bellwire doctor --endpoint <its token endpoint> tells",
    );
  }
}

function tokens(count: number): string {
  return count === 1 ? "a token" : `${count} tokens`;
}

/** What is wrong, and what comes after the colon: what to do. */
function split(message: string): [says: string, remedy: string] {
  const at = message.lastIndexOf(": ");
  return at < 0 ? [message, "see what the relay logs"] : [message.slice(0, at), message.slice(at + 2)];
}

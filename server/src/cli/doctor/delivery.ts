import { randomUUID } from "node:crypto";
import { BellwireError, type WireError } from "@bellwire/protocol";
import { ConfigError, type Environment } from "../../config/reader.js";
import { within } from "@bellwire/emitter/time";
import { openPublishing, type Way } from "../publishing.js";
import { Failure, isAboutClocks } from "../failure.js";
import { signingKey, type Settings, type SigningKey } from "../settings.js";
import { Stream } from "../stream.js";
import { mintToken } from "../tokens.js";
import { fail, ok, warn, type Finding } from "./finding.js";
import { clockWords } from "./relay.js";

/** One name for all runs: at most one log is left behind for each site that was tried. */
const TOPIC = "bellwire.doctor";
const SUBSCRIBE_MS = 10_000;
const ARRIVE_MS = 5000;
/** Milliseconds from a publish to its arrival that are worth a word. */
const SLOW_MS = 500;

export interface Patient {
  readonly site: string;
  readonly user: string;
  /** Seconds by which the relay's clock is ahead of this machine's, where that is known. */
  readonly ahead: number | undefined;
}

/** Subscribes as a client does, publishes as backends do, and waits for the message; each way that the settings name. */
export async function* checkDelivery(settings: Settings, env: Environment, { site, user, ahead }: Patient): AsyncGenerator<Finding> {
  let key: SigningKey;
  try {
    key = signingKey(env, site);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return yield warn("subscription", "not tried: no APP_KEY to sign a token with", "bellwire init writes a .env with one");
  }
  const heard = new Map<unknown, () => void>();
  const stream = new Stream({
    url: settings.url,
    site,
    subscribe: [{ topic: TOPIC, filter: {}, replay: false }],
    mint: () => mintToken(key, { site, user, topic: TOPIC, filter: {} }),
    onMessage: ({ data }) => heard.get(data.probe)?.(),
  });
  try {
    await within(stream.ready, SUBSCRIBE_MS, "Subscribing");
    yield ok("subscription", `of ${TOPIC} on site ${site} is confirmed`);
    for (const way of waysOf(settings)) yield await checkWay(settings, way, site, heard);
  } catch (error) {
    yield fail("subscription", (error as Error).message, subscriptionRemedy(error, ahead));
  } finally {
    stream.close();
  }
}

/** A key is only to blame where the clocks are not. */
function subscriptionRemedy(error: unknown, ahead: number | undefined): string {
  const refusal = error instanceof Failure ? error.refusal : undefined;
  if (refusal === undefined) return "see what the relay logs, and what stands before it";
  if (isAboutClocks(refusal)) return clockRemedy(refusal, ahead);
  if (refusal.code === "token-invalid") return "give relay and backends the same APP_KEY; --site and --user choose others";
  return "--site and --user choose others";
}

function clockRemedy({ code }: WireError, ahead: number | undefined): string {
  // It was signed a moment ago, and is good for a minute.
  const how = ahead === undefined ? (code === "token-expired" ? "over a minute ahead of" : "over a minute behind") : clockWords(ahead);
  return `the relay's clock is ${how} this machine's: keep both by NTP`;
}

function waysOf({ redis, apiKey }: Settings): Way[] {
  return [...(redis === undefined ? [] : ["redis" as const]), ...(apiKey === undefined ? [] : ["http" as const])];
}

async function checkWay(settings: Settings, way: Way, site: string, heard: Map<unknown, () => void>): Promise<Finding> {
  const check = `delivery (${way})`;
  const probe = randomUUID();
  const publishing = openPublishing(settings, way);
  const begun = performance.now();
  try {
    const arrived = new Promise<void>((resolve) => heard.set(probe, resolve));
    await publishing.emitter.site(site).publish(TOPIC, { probe });
    if (!(await arrives(arrived))) return fail(check, `published, and not heard within ${ARRIVE_MS} ms`, remedyFor(way));
    const took = performance.now() - begun;
    const says = `published and heard within ${Math.ceil(took)} ms`;
    return took < SLOW_MS ? ok(check, says) : warn(check, says, "look at the load of relay and Redis");
  } catch (error) {
    const away = error instanceof BellwireError && error.retry === "later";
    return fail(check, (error as Error).message, away ? "see what was found of Redis and relay before" : remedyFor(way));
  } finally {
    heard.delete(probe);
    await publishing.close();
  }
}

function arrives(arrived: Promise<void>): Promise<boolean> {
  return within(arrived, ARRIVE_MS, "The message").then(
    () => true,
    () => false,
  );
}

function remedyFor(way: Way): string {
  return way === "redis"
    ? "give relay and backends the same REDIS_* settings, database and prefix included"
    : "give relay and backends the same REALTIME_API_KEY";
}

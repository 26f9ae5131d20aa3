import { ConfigError } from "../config/reader.js";
import { readSite, readTopic } from "./arguments.js";
import { checkDelivery } from "./doctor/delivery.js";
import { checkTokens, type TokenSource } from "./doctor/endpoint.js";
import { fail, lineOf, type Finding } from "./doctor/finding.js";
import { checkRedis } from "./doctor/redis.js";
import { checkRelay } from "./doctor/relay.js";
import { checkSettings } from "./doctor/settings.js";
import { FAILED, UsageError } from "./failure.js";
import { print, say } from "./output.js";
import { readSettings } from "./settings.js";

export interface DoctorFlags {
  readonly site: string;
  readonly user: string;
  readonly endpoint?: string;
  readonly header?: readonly string[];
  readonly topic?: string;
  readonly token?: string;
}

/** Prints a line for each check, as soon as it is known, and ends the process with 1 where one failed. */
export async function doctor(flags: DoctorFlags): Promise<void> {
  const { site, user } = flags;
  const source = readSource(flags);
  const counts = { ok: 0, warn: 0, fail: 0 };
  for await (const finding of examine(readSite(site), user, source)) {
    counts[finding.level]++;
    print(lineOf(finding));
  }
  say(`${counts.ok} ok, ${counts.warn} to look at, ${counts.fail} failed`);
  if (counts.fail > 0) process.exitCode = FAILED;
}

/** Checks what stands on what was found well before: without settings there is no Redis to look at. */
async function* examine(site: string, user: string, source: TokenSource): AsyncGenerator<Finding> {
  const { env } = process;
  try {
    yield* checkSettings(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return yield fail("settings", error.message, "set it right, here and in .env; docs/configuration.md has them all");
  }
  const settings = readSettings(env);
  const redisWorks = settings.redis !== undefined && (yield* checkRedis(settings.redis));
  const { works, api, ahead } = yield* checkRelay(settings);
  if (!works || !settings.enabled) return;
  const ways = { redis: redisWorks ? settings.redis : undefined, apiKey: api ? settings.apiKey : undefined };
  yield* checkDelivery({ ...settings, ...ways }, env, { site, user, ahead });
  yield* checkTokens(settings.url, source);
}

/** @throws UsageError */
function readSource({ endpoint, token, topic, header = [] }: DoctorFlags): TokenSource {
  if (endpoint !== undefined && !/^https?:\/\//.test(endpoint))
    throw new UsageError(`--endpoint is a URL such as https://example.com/realtime, not "${endpoint}"`);
  if (endpoint === undefined && (topic !== undefined || header.length > 0))
    throw new UsageError("--topic and --header are for --endpoint: give its URL too");
  const headers = header.map((text): [string, string] => {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): *(.*)$/.exec(text) ?? [];
    if (name === undefined || value === undefined) throw new UsageError(`--header is "name: value", not "${text.slice(0, 60)}"`);
    return [name, value];
  });
  return { endpoint, token, headers, topic: topic === undefined ? undefined : readTopic(topic) };
}

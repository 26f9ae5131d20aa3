import { ConfigError } from "../config/reader.js";
import { readSite } from "./arguments.js";
import { checkDelivery } from "./doctor/delivery.js";
import { fail, lineOf, type Finding } from "./doctor/finding.js";
import { checkRedis } from "./doctor/redis.js";
import { checkRelay } from "./doctor/relay.js";
import { checkSettings } from "./doctor/settings.js";
import { FAILED } from "./failure.js";
import { print, say } from "./output.js";
import { readSettings } from "./settings.js";

/** Prints a line for each check, as soon as it is known, and ends the process with 1 where one failed. */
export async function doctor({ site, user }: { site: string; user: string }): Promise<void> {
  const counts = { ok: 0, warn: 0, fail: 0 };
  for await (const finding of examine(readSite(site), user)) {
    counts[finding.level]++;
    print(lineOf(finding));
  }
  say(`${counts.ok} ok, ${counts.warn} to look at, ${counts.fail} failed`);
  if (counts.fail > 0) process.exitCode = FAILED;
}

/** Checks what stands on what was found well before: without settings there is no Redis to look at. */
async function* examine(site: string, user: string): AsyncGenerator<Finding> {
  const { env } = process;
  try {
    yield* checkSettings(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return yield fail("settings", error.message, "set it right, here and in .env; docs/configuration.md has them all");
  }
  const settings = readSettings(env);
  const redisWorks = settings.redis !== undefined && (yield* checkRedis(settings.redis));
  const relayWorks = yield* checkRelay(settings);
  if (!relayWorks || !settings.enabled) return;
  yield* checkDelivery({ ...settings, redis: redisWorks ? settings.redis : undefined }, env, { site, user });
}

import { BellwireError } from "@bellwire/protocol";
import { redisFailure, whenReady, type Keys, type RedisClient } from "@bellwire/emitter/redis";
import { REVOCATION_LIFE_MS } from "@bellwire/emitter/commands";
import { within } from "@bellwire/emitter/time";
import { withRevocationCommands, type RevocationCommands } from "../../redis/scripts.js";
import type { StoredRevocation } from "../../revocations/revocation.js";
import { REVOCATION_PAGE, type RevocationPage, type RevocationStore } from "../revocations.js";

const TIMEOUT_MS = 3000;
// A command's text is far shorter; what is longer was not written by us.
const MAX_TEXT_BYTES = 32_768;
const RESTORE_BATCH = 500;

/** Revocations in Redis: a sorted set by time, which emitters and relays write through one script. */
export class RedisRevocations implements RevocationStore {
  readonly #redis: RedisClient & RevocationCommands;
  readonly #key: string;

  /** @param redis the log's connection for commands: it comes back no later than the log does */
  constructor(redis: RedisClient, keys: Keys) {
    this.#redis = withRevocationCommands(redis);
    this.#key = keys.revocations();
  }

  start(lost: () => void, back: () => void): void {
    this.#redis.on("close", lost);
    this.#redis.on("ready", back);
  }

  get reachable(): boolean {
    return this.#redis.status === "ready";
  }

  async read(from: number, skip: number): Promise<RevocationPage> {
    try {
      await whenReady(this.#redis, TIMEOUT_MS);
      const reply = this.#redis.bellwireRevocations(this.#key, REVOCATION_LIFE_MS, from, skip, REVOCATION_PAGE, MAX_TEXT_BYTES);
      return parsePage(await within(reply, TIMEOUT_MS, "Reading the revocations"));
    } catch (error) {
      throw redisFailure(error);
    }
  }

  async restore(revocations: readonly StoredRevocation[]): Promise<void> {
    try {
      for (let i = 0; i < revocations.length; i += RESTORE_BATCH) {
        const batch = revocations.slice(i, i + RESTORE_BATCH).flatMap(({ text, at }) => [at, text]);
        await within(this.#redis.zadd(this.#key, "GT", ...batch), TIMEOUT_MS, "Putting revocations back");
      }
      await within(this.#redis.pexpire(this.#key, REVOCATION_LIFE_MS), TIMEOUT_MS, "Putting revocations back");
    } catch (error) {
      throw redisFailure(error);
    }
  }
}

function parsePage(reply: unknown): RevocationPage {
  const [now, count, rows] = Array.isArray(reply) ? (reply as unknown[]) : [];
  if (!Array.isArray(rows) || !Number.isFinite(Number(now)) || !Number.isSafeInteger(count)) {
    throw new BellwireError("internal", "Redis answered something that is no list of revocations");
  }
  const list: StoredRevocation[] = [];
  for (let i = 0; i + 1 < rows.length; i += 2) list.push({ text: String(rows[i]), at: Number(rows[i + 1]) });
  return { now: Number(now), count: count as number, rows: list };
}

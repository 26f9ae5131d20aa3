import { createHash } from "node:crypto";

export const DEFAULT_PREFIX = "bellwire:";

/**
 * Spells every Redis name of the project. The database number is part of each name because pub/sub crosses
 * databases. Names of one log share its hash tag, so that on a Cluster one script may touch them.
 */
export class Keys {
  readonly #base: string;

  /** @throws TypeError for a prefix with braces: they would put all logs into one slot. */
  constructor(prefix: string = DEFAULT_PREFIX, db: number = 0) {
    if (/[{}\n]/.test(prefix)) throw new TypeError("A Redis prefix can't hold braces or line breaks");
    this.#base = `${prefix}${db}:`;
  }

  /** The log of one topic, a stream; the sharded channel has the same name. */
  log(site: string, topic: string): string {
    return `${this.#base}{${site}:${topic}}`;
  }

  /** The topic that a channel belongs to, as `site:topic`, or undefined for a name that is not ours. */
  feedOfChannel(channel: string): string | undefined {
    if (!channel.startsWith(this.#base) || channel.charCodeAt(this.#base.length) !== 123 || !channel.endsWith("}")) return undefined;
    return channel.slice(this.#base.length + 1, -1);
  }

  /** Where a publish id that the caller gave is remembered. Hashed: the caller chose its text and length. */
  idempotency(site: string, topic: string, id: string): string {
    return `${this.log(site, topic)}:${createHash("sha256").update(id).digest("base64url")}`;
  }

  /** The relays alive: a sorted set of their ids by the time, in epoch milliseconds, until which they vouch. */
  relays(): string {
    return `${this.#base}relays`;
  }

  /** What was revoked: a sorted set of JSON texts by the time of the revocation, in epoch milliseconds. */
  revocations(): string {
    return `${this.#base}revocations`;
  }

  /** The `key` of @socket.io/redis-adapter and redis-emitter on the namespace `/control`: their channels' names begin with it. */
  control(): string {
    return `${this.#base}control`;
  }
}

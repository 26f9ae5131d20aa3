import { createHash } from "node:crypto";
import type { Owner } from "../control/held.js";
import { subjectHash } from "../personal.js";

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

  /** Who is present on a topic: a hash of members. The three beside it begin with this name. */
  presence(site: string, topic: string): string {
    return `${this.log(site, topic)}:presence`;
  }

  /** Who came and went on a topic: a stream; the sharded channel that tells of it has the same name. */
  presenceChanges(site: string, topic: string): string {
    return `${this.presence(site, topic)}:changes`;
  }

  /** The relays that have members on a topic: a set. */
  presenceRelays(site: string, topic: string): string {
    return `${this.presence(site, topic)}:relays`;
  }

  /** One relay's members on a topic: a set. */
  presenceOf(site: string, topic: string, relay: string): string {
    return `${this.presence(site, topic)}:of:${relay}`;
  }

  /** The relays that vouch for members and connections: a sorted set of their ids by the time until which they do, in epoch milliseconds. */
  leases(): string {
    return `${this.#base}leases`;
  }

  /** The relays that have subscriptions of a topic, or of one filter on it: a set. @param filter canonical */
  occupied(site: string, topic: string, filter?: string): string {
    const name = `${this.log(site, topic)}:occupied`;
    return filter === undefined ? name : `${name}:${createHash("sha256").update(filter).digest("base64url")}`;
  }

  /** What a relay would have to tell should it end: a hash. What else belongs to it begins with this name. */
  notices(relay: string): string {
    return `${this.#base}notices:{${relay}}`;
  }

  /** The stamp of the last command about what a site's owners hold. Names of one site's share a hash tag. */
  heldClock(site: string): string {
    return `${this.#base}{${site}}:held`;
  }

  /** What the server subscribed for one owner: a sorted set by stamp. */
  held(site: string, { kind, id }: Owner): string {
    return `${this.heldClock(site)}:${kind}:${subjectHash(id)}`;
  }

  /** What was ended for one owner, or for everybody on the site: a sorted set by stamp. */
  ends(site: string, owner?: Owner): string {
    return `${this.#base}{${site}}:ends${owner === undefined ? "" : `:${owner.kind}:${subjectHash(owner.id)}`}`;
  }

  /** The `key` of @socket.io/redis-adapter and redis-emitter on the namespace `/control`: their channels' names begin with it. */
  control(): string {
    return `${this.#base}control`;
  }
}

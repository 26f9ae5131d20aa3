import type { Cluster } from "ioredis";
import type { Position } from "@bellwire/protocol";
import { isCluster, redisFailure, whenReady, type Keys, type RedisClient, type RedisTarget } from "@bellwire/emitter/redis";
import { within } from "@bellwire/emitter/time";
import { withPresenceCommands, type PresenceCommands } from "../../redis/scripts.js";
import { ClusterChannels } from "../../redis/channels-cluster.js";
import { SingleChannels } from "../../redis/channels-single.js";
import type { Channels } from "../../redis/channels.js";
import type { Lease } from "../../redis/lease.js";
import {
  MAX_LISTED,
  type MemberChange,
  type PresenceChanges,
  type PresenceListener,
  type PresenceSnapshot,
  type PresenceStore,
} from "../presence.js";

export interface RedisPresenceOptions {
  readonly target: RedisTarget;
  readonly keys: Keys;
  /** The log's connection for commands. */
  readonly redis: RedisClient;
  /** Under which this relay's members count. */
  readonly lease: Lease;
  readonly onTrouble: (error: unknown, stage: string) => void;
}

const TIMEOUT_MS = 3000;
// Members taken from a relay that is gone in one call of the script, which nobody else's commands can interrupt.
const SWEEP_BATCH = 500;

/** Presence of relays that share a Redis: four keys per topic, which one script each reads and writes. */
export class RedisPresence implements PresenceStore {
  readonly #options: RedisPresenceOptions;
  readonly #redis: RedisClient & PresenceCommands;
  readonly #lease: Lease;
  /** Topics listened to, by the name of their channel. */
  readonly #listening = new Map<string, readonly [site: string, topic: string]>();
  /** On a connection of its own, made when the first topic is listened to. */
  #channels: Channels | undefined;
  #listener: PresenceListener | undefined;

  constructor(options: RedisPresenceOptions) {
    this.#options = options;
    this.#redis = withPresenceCommands(options.redis);
    this.#lease = options.lease;
  }

  start(listener: PresenceListener): void {
    this.#listener = listener;
    this.#lease.start({ died: () => listener.relaysGone(), renewedLate: () => listener.lost() });
  }

  get reachable(): boolean {
    return this.#redis.status === "ready";
  }

  async apply(site: string, topic: string, changes: readonly MemberChange[]): Promise<{ before: Position; after: Position }> {
    const { relay } = this.#lease;
    await this.#lease.require(); // what is not under a lease would be swept
    const pairs = changes.flatMap(({ member, info }) => [member, info === null ? "-" : `+${info}`]);
    const reply = await this.#run(this.#redis.bellwirePresenceApply(...this.#keysOf(site, topic, relay), relay, ...pairs));
    const [epoch, before, after] = reply;
    return { before: position(epoch, before) ?? NOWHERE, after: position(epoch, after) ?? NOWHERE };
  }

  async changes(site: string, topic: string, since: Position | undefined): Promise<PresenceChanges> {
    await this.#ready();
    const from = since === undefined ? ["", "0"] : [since.epoch, String(since.offset)];
    const reply = await this.#run(this.#redis.bellwirePresenceChanges(...this.#keysOf(site, topic, this.#lease.relay), ...from));
    const [epoch, offset, count, own, entries] = reply;
    const head = position(epoch, offset);
    return { head, count: number(count), own: number(own), changes: head === undefined ? undefined : between(since, head, entries) };
  }

  async snapshot(site: string, topic: string, listed: boolean): Promise<PresenceSnapshot> {
    const keys = this.#keysOf(site, topic, this.#lease.relay).slice(0, 3);
    await this.#ready();
    const read = (): Promise<unknown[]> => this.#run(this.#redis.bellwirePresenceSnapshot(...keys, listed ? MAX_LISTED : 0));
    let reply = await read();
    const gone = await this.#lease.gone(texts(reply[3]));
    if (gone.length > 0) {
      await this.#sweepAll(site, topic, gone);
      reply = await read();
    }
    const [epoch, offset, count, relays, rows] = reply;
    const users = usersOf(texts(rows), new Set(texts(relays)));
    return { position: position(epoch, offset), count: number(count), users };
  }

  async own(site: string, topic: string): Promise<ReadonlySet<string>> {
    await this.#ready();
    const own = this.#options.keys.presenceOf(site, topic, this.#lease.relay);
    return new Set(texts(await this.#run(this.#redis.smembers(own))));
  }

  async sweep(site: string, topic: string): Promise<void> {
    await this.#ready();
    const relays = texts(await this.#run(this.#redis.smembers(this.#options.keys.presenceRelays(site, topic))));
    await this.#sweepAll(site, topic, await this.#lease.gone(relays));
  }

  async #sweepAll(site: string, topic: string, relays: readonly string[]): Promise<void> {
    for (const relay of relays) {
      const keys = this.#keysOf(site, topic, relay);
      for (;;) {
        const reply = await within(this.#redis.bellwirePresenceSweep(...keys, relay, SWEEP_BATCH), TIMEOUT_MS, "Sweeping").catch(fail);
        if (number(reply) === 0) break;
      }
    }
  }

  async #ready(): Promise<void> {
    await whenReady(this.#redis, TIMEOUT_MS);
  }

  async #run(command: Promise<unknown>): Promise<unknown[]> {
    const reply = await within(command, TIMEOUT_MS, "Presence").catch(fail);
    return Array.isArray(reply) ? (reply as unknown[]) : [];
  }

  #keysOf(site: string, topic: string, relay: string): string[] {
    const { keys } = this.#options;
    return [
      keys.presence(site, topic),
      keys.presenceChanges(site, topic),
      keys.presenceRelays(site, topic),
      keys.presenceOf(site, topic, relay),
    ];
  }

  listen(site: string, topic: string): void {
    const channel = this.#options.keys.presenceChanges(site, topic);
    this.#listening.set(channel, [site, topic]);
    this.#channels ??= this.#open();
    // Refused while Redis is away; then it is subscribed by itself, and `restored` tells.
    this.#channels.subscribe(channel).then(
      () => this.#heard(channel),
      () => undefined,
    );
  }

  unlisten(site: string, topic: string): void {
    const channel = this.#options.keys.presenceChanges(site, topic);
    this.#listening.delete(channel);
    this.#channels?.unsubscribe(channel);
  }

  #open(): Channels {
    const { target, onTrouble } = this.#options;
    const channels = isCluster(target) ? new ClusterChannels(target, this.#redis as Cluster) : new SingleChannels(target);
    channels.start({
      message: (channel) => this.#heard(channel),
      lost: () => undefined,
      restored: (restored) => {
        for (const channel of restored) this.#heard(channel);
      },
      ready: () => undefined,
      error: (error) => onTrouble(error, "presence"),
    });
    return channels;
  }

  #heard(channel: string): void {
    const heard = this.#listening.get(channel);
    if (heard !== undefined) this.#listener?.changed(...heard);
  }

  close(): void {
    this.#listening.clear();
    this.#channels?.close();
  }
}

const NOWHERE: Position = { epoch: "", offset: 0 };

function fail(error: unknown): never {
  throw redisFailure(error);
}

// What Redis answers is not trusted: anybody can write there.

function position(epoch: unknown, offset: unknown): Position | undefined {
  if (typeof epoch !== "string" || epoch === "") return undefined;
  const count = Number(offset);
  return Number.isSafeInteger(count) ? { epoch, offset: count } : undefined;
}

function number(value: unknown): number {
  return Number.isSafeInteger(value) ? (value as number) : 0;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((text): text is string => typeof text === "string") : [];
}

/** The changes after one position up to another; undefined where they are not all there. */
function between(since: Position | undefined, head: Position, entries: unknown): MemberChange[] | undefined {
  if (since?.epoch !== head.epoch) return undefined;
  const rows = Array.isArray(entries) ? (entries as unknown[]) : [];
  if (head.offset < since.offset || rows.length !== head.offset - since.offset) return undefined;
  return rows.flatMap((row) => {
    const [, member = "", , info] = texts((row as unknown[])[1]);
    return member.startsWith("u") ? [{ member, info: info ?? null }] : [];
  });
}

/** @param rows members and values; those whose relays are all unknown were written by nobody of ours */
function usersOf(rows: readonly string[], relays: ReadonlySet<string>): [user: string, info: string][] {
  const users: [string, string][] = [];
  for (let i = 0; i + 1 < rows.length; i += 2) {
    const [member, value] = [rows[i] as string, rows[i + 1] as string];
    const end = value.indexOf("\n");
    if (!member.startsWith("u") || member.length === 1 || end < 0) continue;
    if (
      !value
        .slice(0, end)
        .split(" ")
        .some((relay) => relays.has(relay))
    )
      continue;
    users.push([member.slice(1), value.slice(end + 1)]);
  }
  return users;
}

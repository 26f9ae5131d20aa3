import { BellwireError } from "@bellwire/protocol";
import type { RevokeCommand, SubscribeCommand, Target, UnsubscribeCommand } from "../control/command.js";
import {
  endText,
  hasEnded,
  HELD_LIFE_MS,
  heldText,
  MAX_ENDS,
  MAX_HELD,
  ownerOf,
  ownersOf,
  parseEnd,
  parseHeld,
  standingOf,
  type End,
  type Held,
  type Owner,
  type Standing,
} from "../control/held.js";
import type { RedisClient } from "./connect.js";
import type { Keys } from "./keys.js";
import { withHeldCommands, type HeldCommands } from "./scripts.js";

// Far above a topic and its filter; what is longer was not written by us.
const MAX_TEXT_BYTES = 40_000;

/** What the server subscribed for owners, in Redis: emitters and relays write it before they tell, relays read it. Its promises have no timeouts of their own. */
export class RedisHeld {
  readonly #redis: RedisClient & HeldCommands;
  readonly #keys: Keys;
  readonly #life: number;

  /** @param life milliseconds that an owner's subscriptions are kept without a command or use */
  constructor(redis: RedisClient, keys: Keys, life: number = HELD_LIFE_MS) {
    this.#redis = withHeldCommands(redis);
    this.#keys = keys;
    this.#life = life;
  }

  /** Rejects with `limit` where the owner holds as many as it may, or with what Redis says. */
  async add(command: SubscribeCommand): Promise<void> {
    const owner = ownerOf(command) as Owner;
    if (await this.#tryAdd(command, owner)) return;
    await this.#dropEnded(command.site, owner);
    if (await this.#tryAdd(command, owner)) return;
    throw new BellwireError("limit", `The server holds ${MAX_HELD} subscriptions for this ${owner.kind}: end some of them`);
  }

  async #tryAdd(command: SubscribeCommand, owner: Owner): Promise<boolean> {
    const { site } = command;
    const keys = [this.#keys.heldClock(site), this.#keys.held(site, owner)];
    return (await this.#redis.bellwireHeldAdd(2, ...keys, heldText(command), this.#life, MAX_HELD)) !== "full";
  }

  /** Ends what lies within an `unsubscribe`, or could hear something of a `revoke`, also for those who are away. Rejects as `add`. */
  async remove(command: UnsubscribeCommand | RevokeCommand): Promise<void> {
    const text = endText(command);
    if (text === undefined) return;
    const owner = ownerOf(command);
    const end = parseEnd(text, Number.POSITIVE_INFINITY);
    const dropped = owner === undefined || end === undefined ? [] : await this.#ended(command.site, owner, end);
    if ((await this.#end(command.site, owner, text, dropped)) !== "full") return;
    throw new BellwireError("limit", `More than ${MAX_ENDS} revocations concern subscriptions that the server made here`);
  }

  /** Keeps an end, and drops subscriptions that have one. */
  #end(site: string, owner: Owner | undefined, text: string, dropped: readonly Held[]): Promise<unknown> {
    const keys = [this.#keys.heldClock(site), this.#keys.ends(site, owner), ...(owner === undefined ? [] : [this.#keys.held(site, owner)])];
    const pairs = dropped.flatMap(({ topic, filter, stamp }) => [topic + filter.canonical, stamp]);
    return this.#redis.bellwireHeldEnd(keys.length, ...keys, text, this.#life, MAX_ENDS, ...pairs);
  }

  /** Room is taken by what has ended for everybody, until it is needed. */
  async #dropEnded(site: string, owner: Owner): Promise<void> {
    const dropped = await this.#ended(site, owner);
    if (dropped.length > 0) await this.#end(site, owner, "", dropped);
  }

  /** Those of one owner's subscriptions that have ended for whoever it is. */
  async #ended(site: string, owner: Owner, further?: End): Promise<Held[]> {
    const { all, ends } = (await this.#read(site, [owner])) ?? NOTHING;
    const known = further === undefined ? ends : [...ends, further];
    return all.filter((held) => hasEnded(held, known));
  }

  /** What counts for a connection of these owners; undefined where nothing at all is held on the site. */
  async of(site: string, target: Target): Promise<Standing | undefined> {
    const rows = await this.#read(site, ownersOf(target));
    return rows === undefined ? undefined : standingOf(rows.all, rows.ends);
  }

  async #read(site: string, owners: readonly Owner[]): Promise<Rows | undefined> {
    const keys = [
      this.#keys.heldClock(site),
      this.#keys.ends(site),
      ...owners.flatMap((owner) => [this.#keys.held(site, owner), this.#keys.ends(site, owner)]),
    ];
    const most = Math.max(MAX_HELD, MAX_ENDS);
    const reply = await this.#redis.bellwireHeldRead(keys.length, ...keys, this.#life, most, MAX_TEXT_BYTES);
    if (!Array.isArray(reply)) return undefined;
    const endsAt = (i: number): End[] => pairs(reply[i]).flatMap(([text, stamp]) => parseEnd(text, stamp) ?? []);
    const rows: Rows = { all: [], ends: endsAt(0) };
    owners.forEach(({ kind }, i) => {
      rows.all.push(...pairs(reply[2 * i + 1]).flatMap(([text, stamp]) => parseHeld(text, stamp, kind) ?? []));
      rows.ends.push(...endsAt(2 * i + 2));
    });
    return rows;
  }
}

interface Rows {
  readonly all: Held[];
  readonly ends: End[];
}

const NOTHING: Rows = { all: [], ends: [] };

function pairs(row: unknown): [text: string, stamp: number][] {
  const list: [string, number][] = [];
  if (!Array.isArray(row)) return list;
  for (let i = 0; i + 1 < row.length; i += 2) list.push([String(row[i]), Number(row[i + 1])]);
  return list;
}

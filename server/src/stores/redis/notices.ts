import { BellwireError } from "@bellwire/protocol";
import { redisFailure, whenReady, type Keys, type RedisClient } from "@bellwire/emitter/redis";
import { within } from "@bellwire/emitter/time";
import { withPresenceCommands, type PresenceCommands } from "../../redis/scripts.js";
import type { Lease } from "../../redis/lease.js";
import { fieldOf, parseField } from "../../notices/registration.js";
import type { Notice, Party, Place } from "../../notices/notice.js";
import type { Legacy, NoticeStore, NoticeStoreListener, Turn } from "../notices.js";

export interface RedisNoticesOptions {
  /** The log's connection for commands. */
  readonly redis: RedisClient;
  readonly keys: Keys;
  /** When it runs out, another relay tells this one's notices. */
  readonly lease: Lease;
  readonly onTrouble: (error: unknown) => void;
}

const TIMEOUT_MS = 3000;
const GATHER_MS = 20;
const RETRY_MS = 1000;
const WRITE_BATCH = 500;
const PAGE = 200;
const CLAIM_MS = 30_000;
const DAY_MS = 24 * 60 * 60 * 1000;
// Longer than leases are remembered, after which nobody would look for it.
const KEPT_MS = DAY_MS + 60 * 60 * 1000;
const REFRESH_MS = 60 * 60 * 1000;

/** A hash for each relay, of what is to be told should it end. Whoever finds its lease run out claims it and takes it over. */
export class RedisNotices implements NoticeStore {
  readonly #options: RedisNoticesOptions;
  readonly #redis: RedisClient & PresenceCommands;
  readonly #own: string;
  /** Fields to be written, or to be deleted. */
  readonly #unwritten = new Map<string, string | undefined>();
  /** Relays that are gone with nothing left to tell, and those that are being taken over. */
  #finished: ReadonlySet<string> = new Set();
  readonly #taking = new Set<string>();
  #listener: NoticeStoreListener | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #refreshed = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: RedisNoticesOptions) {
    this.#options = options;
    this.#redis = withPresenceCommands(options.redis);
    this.#own = options.keys.notices(options.lease.relay);
  }

  start(listener: NoticeStoreListener): void {
    this.#listener = listener;
    this.#options.lease.start({
      renewedLate: () => this.#listener?.lost(false),
      expired: (relays) => {
        this.#lookForMark();
        this.#takeOver(relays);
      },
    });
  }

  setParty(party: Party): void {
    this.#set(fieldOf.party(party.connection), JSON.stringify(party));
  }

  deleteParty(connection: string): void {
    this.#set(fieldOf.party(connection), undefined);
  }

  setNotice(notice: Notice): void {
    this.#set(fieldOf.notice(notice.id), JSON.stringify(notice));
  }

  deleteNotice(id: string): void {
    this.#set(fieldOf.notice(id), undefined);
  }

  #set(field: string, value: string | undefined): void {
    this.#unwritten.set(field, value);
    if (!this.#closed) this.#later(GATHER_MS);
  }

  #later(ms: number): void {
    if (this.#writing !== undefined) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#write(); // never rejects
    }, ms).unref();
  }

  #write(): Promise<void> {
    this.#writing ??= this.#writeAll()
      .then(
        () => GATHER_MS,
        (error: unknown) => {
          this.#options.onTrouble(error);
          return RETRY_MS;
        },
      )
      .then((pause) => {
        this.#writing = undefined;
        if (this.#unwritten.size > 0 && !this.#closed) this.#later(pause);
      });
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    await this.#options.lease.require(); // without one nobody would look for it
    while (this.#unwritten.size > 0) {
      const batch = [...this.#unwritten].slice(0, WRITE_BATCH);
      const set = batch.flatMap(([field, value]) => (value === undefined ? [] : [field, value]));
      const gone = batch.flatMap(([field, value]) => (value === undefined ? [field] : []));
      const writes: Promise<unknown>[] = [];
      if (set.length > 0) writes.push(this.#redis.hset(this.#own, ...set));
      if (gone.length > 0) writes.push(this.#redis.hdel(this.#own, ...gone));
      if (performance.now() - this.#refreshed > REFRESH_MS || set.length > 0) writes.push(this.#redis.pexpire(this.#own, KEPT_MS));
      this.#refreshed = performance.now();
      await this.#runOwn(Promise.all(writes));
      for (const [field, value] of batch) if (this.#unwritten.get(field) === value) this.#unwritten.delete(field);
    }
  }

  async occupy(place: Place, has: boolean): Promise<Turn> {
    const { lease } = this.#options;
    const field = fieldOf.place(place);
    await lease.require();
    // Known before it counts: whoever takes over would not find it otherwise.
    if (has) await this.#runOwn(this.#redis.hset(this.#own, field, JSON.stringify(place)));
    const turn = await this.#turn(lease.relay, place, has);
    if (has) this.#later(GATHER_MS);
    else this.#set(field, undefined);
    return turn;
  }

  vacateFor(relay: string, place: Place): Promise<Turn> {
    return this.#turn(relay, place, false);
  }

  async #turn(relay: string, { site, topic, filter }: Place, has: boolean): Promise<Turn> {
    const key = this.#options.keys.occupied(site, topic, filter === undefined ? undefined : JSON.stringify(filter));
    const reply = await this.#run(this.#redis.bellwireOccupy(key, relay, has ? "+" : "-", KEPT_MS));
    const [turned, time] = Array.isArray(reply) ? (reply as unknown[]) : [];
    return { turned: turned === 1, time: Number(time) || Date.now() };
  }

  async #run<T>(command: Promise<T>): Promise<T> {
    try {
      return await within(command, TIMEOUT_MS, "Registering for notices");
    } catch (error) {
      throw redisFailure(error);
    }
  }

  /** Whatever else is under our name is garbage, and goes. */
  async #runOwn<T>(command: Promise<T>): Promise<T> {
    return this.#run(command).catch(async (error: BellwireError) => {
      if (error.message.includes("WRONGTYPE")) await this.#run(this.#redis.del(this.#own));
      throw error;
    });
  }

  /** Looks whether others have taken this relay for gone. */
  #lookForMark(): void {
    // Read and forgotten in one: told once.
    this.#run(this.#redis.getdel(`${this.#own}:mark`)).then((mark) => {
      if (mark !== null) this.#listener?.lost(true);
    }, this.#options.onTrouble);
  }

  // The others

  #takeOver(expired: readonly string[]): void {
    if (this.#closed) return;
    this.#finished = new Set(expired.filter((relay) => this.#finished.has(relay)));
    for (const relay of expired) {
      if (this.#finished.has(relay) || this.#taking.has(relay)) continue;
      this.#taking.add(relay);
      this.#takeOne(relay)
        .catch((error: unknown) => this.#options.onTrouble(error)) // tried again at the next look
        .finally(() => this.#taking.delete(relay));
    }
  }

  async #takeOne(relay: string): Promise<void> {
    await whenReady(this.#redis, TIMEOUT_MS);
    const own = this.#options.keys.notices(relay);
    const [taken, claim, mark] = [`${own}:taken`, `${own}:claim`, `${own}:mark`];
    const take = (): Promise<unknown> =>
      this.#run(this.#redis.bellwireTake(own, taken, claim, mark, this.#options.lease.relay, CLAIM_MS, DAY_MS));
    if ((await this.#options.lease.gone([relay])).length === 0) return; // it is back
    while ((await take()) === 1) {
      if (this.#closed) return;
      const rows = await this.#run(this.#redis.hrandfield(taken, PAGE, "WITHVALUES"));
      await this.#inherit(relay, taken, Array.isArray(rows) ? (rows as string[]) : []);
    }
    if ((await this.#run(this.#redis.exists(own, taken))) > 0) return; // another relay is at it
    this.#finished = new Set([...this.#finished, relay]);
    await this.#run(this.#redis.del(claim));
  }

  /** Nothing is deleted before it is taken on: should this relay end in between, the next one begins anew. */
  async #inherit(relay: string, taken: string, rows: readonly string[]): Promise<void> {
    const legacy: { parties: Party[]; notices: Notice[]; places: Place[] } = { parties: [], notices: [], places: [] };
    const fields: string[] = [];
    for (let i = 0; i + 1 < rows.length; i += 2) {
      const [field, value] = [rows[i] as string, rows[i + 1] as string];
      fields.push(field);
      const found = parseField(field, value);
      if (found === undefined) continue;
      if ("party" in found) legacy.parties.push(found.party);
      else if ("notice" in found) legacy.notices.push(found.notice);
      else if ((await this.vacateFor(relay, found.place)).turned) legacy.places.push(found.place);
    }
    const ids = this.#listener?.inherit(legacy satisfies Legacy) ?? [];
    for (let attempt = 0; attempt < 2 && this.#unwritten.size > 0; attempt++) await this.#write();
    if (ids.some((id) => this.#unwritten.get(fieldOf.notice(id)) !== undefined)) {
      throw new BellwireError("unavailable", "What another relay has left could not be registered");
    }
    if (fields.length > 0) await this.#run(this.#redis.hdel(taken, ...fields));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#redis.status === "ready" && this.#unwritten.size > 0) await within(this.#write(), 500, "Leaving").catch(() => undefined);
  }

  /** Ends without a word. */
  stop(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#unwritten.clear();
  }
}

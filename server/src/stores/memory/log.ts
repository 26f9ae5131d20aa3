import type { Position } from "@bellwire/protocol";
import { DEFAULT_LOG, type LogLimits, type LogLimitsOf } from "@bellwire/emitter/redis";
import type { Publication } from "@bellwire/emitter/publication";
import { beganAt, isClockEpoch, isNewerClockEpoch } from "../clock-epochs.js";
import { feedName, type Entry, type LogListener, type LogStatus, type Tail, type TopicLog } from "../log.js";

const IDEMPOTENCY_MS = 5 * 60 * 1000;
const RETRY_WINDOW = 1000;

interface Stored extends Entry {
  readonly id: string;
}

interface Log {
  readonly site: string;
  readonly topic: string;
  readonly epoch: string;
  offset: number;
  readonly entries: Stored[];
  /** When it was last read or written, epoch milliseconds. */
  touched: number;
}

/** Topic logs of one process: for development, tests and single-relay sites. An epoch per log and process; nothing survives the process. */
export class MemoryLog implements TopicLog {
  readonly #logs = new Map<string, Log>();
  /** Ids that callers gave, by log and id, in order of expiry. */
  readonly #known = new Map<string, { position: Position; until: number }>();
  readonly #listening = new Set<string>();
  readonly #limitsOf: LogLimitsOf;
  #lastEpoch = 0;
  #listener: LogListener | undefined;
  readonly #sweep: NodeJS.Timeout;

  constructor(limitsOf: LogLimitsOf = () => DEFAULT_LOG) {
    this.#limitsOf = limitsOf;
    this.#sweep = setInterval(() => this.#expire(), 60_000);
    this.#sweep.unref();
  }

  get status(): LogStatus {
    return { up: true, everUp: true, problem: undefined };
  }

  now(): number {
    return Date.now();
  }

  async start(listener: LogListener): Promise<void> {
    this.#listener = listener;
  }

  async append({ site, topic, data, id, idempotent, retry, except }: Publication): Promise<Position> {
    const name = feedName(site, topic);
    const log = this.#open(site, topic);
    const known = this.#find(name, log, id, idempotent, retry);
    if (known !== undefined) return known;
    const entry: Stored = { offset: ++log.offset, time: Date.now(), data, except, id };
    log.entries.push(entry);
    trim(log, this.#limitsOf(site, topic));
    const position = { epoch: log.epoch, offset: entry.offset };
    if (idempotent) this.#remember(`${name}\n${id}`, position, entry.time + IDEMPOTENCY_MS);
    // As from a wire: listeners hear it in a later turn than the publisher's call, in order.
    if (this.#listening.has(name)) setImmediate(() => this.#tell(name, log.epoch, entry));
    return position;
  }

  /** Ids that callers gave and that are still known. */
  get remembered(): number {
    return this.#known.size;
  }

  /** What was known before under this key has its old place among the others: it has to leave that first. */
  #remember(key: string, position: Position, until: number): void {
    this.#known.delete(key);
    this.#known.set(key, { position, until });
  }

  #tell(name: string, epoch: string, entry: Entry): void {
    if (this.#listening.has(name)) this.#listener?.message(name, epoch, entry);
  }

  #find(name: string, log: Log, id: string, idempotent: boolean, retry: boolean): Position | undefined {
    if (retry) {
      const found = log.entries.slice(-RETRY_WINDOW).findLast((entry) => entry.id === id);
      if (found !== undefined) return { epoch: log.epoch, offset: found.offset };
    }
    if (!idempotent) return undefined;
    const known = this.#known.get(`${name}\n${id}`);
    return known !== undefined && known.until > Date.now() && known.position.epoch === log.epoch ? known.position : undefined;
  }

  async read(site: string, topic: string, since?: Position, limit?: number): Promise<Tail> {
    const log = this.#open(site, topic);
    trim(log, this.#limitsOf(site, topic));
    const { epoch, offset, entries } = log;
    const head = { epoch, offset };
    if (limit === 0 || (since !== undefined && !isClockEpoch(since.epoch))) return { head, entries: [] };
    const after = since?.epoch === epoch ? since.offset : -1;
    const found = entries.filter((entry) => entry.offset > after);
    if (limit === undefined) return { head, entries: found };
    return { head, entries: since === undefined ? found.slice(-limit) : found.slice(0, limit) };
  }

  began(epoch: string): number {
    return beganAt(epoch);
  }

  isNewer(epoch: string, than: string): boolean {
    return isNewerClockEpoch(epoch, than);
  }

  async listen(site: string, topic: string): Promise<void> {
    this.#listening.add(feedName(site, topic));
  }

  unlisten(site: string, topic: string): void {
    this.#listening.delete(feedName(site, topic));
  }

  hears(site: string, topic: string): boolean {
    return this.#listening.has(feedName(site, topic));
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    this.#listening.clear();
  }

  #open(site: string, topic: string): Log {
    const name = feedName(site, topic);
    let log = this.#logs.get(name);
    if (log === undefined) {
      // Microseconds since 1970, and never the same twice, also where a log went and came back within one.
      this.#lastEpoch = Math.max(Date.now() * 1000, this.#lastEpoch + 1);
      log = { site, topic, epoch: String(this.#lastEpoch), offset: 0, entries: [], touched: 0 };
      this.#logs.set(name, log);
    }
    log.touched = Date.now();
    return log;
  }

  /** Forgets old entries and logs that nobody used for longer than their messages are kept. */
  #expire(): void {
    const now = Date.now();
    for (const [name, log] of this.#logs) {
      const limits = this.#limitsOf(log.site, log.topic);
      trim(log, limits);
      if (!this.#listening.has(name) && log.touched + limits.age + 3_600_000 < now) this.#logs.delete(name);
    }
    for (const [key, { until }] of this.#known) {
      if (until > now) break;
      this.#known.delete(key);
    }
  }
}

function trim({ entries }: Log, limits: LogLimits): void {
  const oldest = Date.now() - limits.age;
  let drop = Math.max(0, entries.length - limits.messages);
  while (drop < entries.length - 1 && (entries[drop] as Stored).time <= oldest) drop++;
  if (drop > 0) entries.splice(0, drop);
}

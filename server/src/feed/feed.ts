import type { ParsedFilter, Position, TopicPosition } from "@bellwire/protocol";
import type { LogLimits } from "@bellwire/emitter/redis";
import { TAIL_MESSAGES, type Entry, type Tail } from "../stores/log.js";
import { Frames, type Codec, type Frame } from "../wire/wire.js";
import { eachInTurns, ITEMS_A_TURN } from "../pacing/slices.js";
import { deliver } from "./delivery.js";
import type { FeedHost, Older, ResyncCause } from "./feed-host.js";
import { Member, type Recipient, type Room } from "./member.js";
import { Message } from "./message.js";
import { recover, type Recovery, type Since } from "./recovery.js";
import { Ring } from "./ring.js";
import { Rooms } from "./rooms.js";
import { marked, unmarked } from "./unsettled.js";

/** Members that are being told to refetch, and what is said of it. */
interface Telling {
  readonly members: Set<Member>;
  how: { readonly spread: number; readonly cause: ResyncCause };
}

// Messages that come while a read is under way. Past it they are dropped, and read from the log afterwards.
const MAX_EARLY = 10_000;

let opened = 0;

/**
 * A relay's live view of one (site, topic). It is `live` while every message up to `head` is known to be in hand; otherwise
 * it reads the log first and delivers nothing meanwhile, so that what it delivers is always contiguous, or announced by a resync.
 */
export class Feed {
  readonly name: string;
  readonly topic: string;
  readonly site: string;
  readonly rooms: Rooms;
  readonly ring: Ring = new Ring();
  readonly limits: LogLimits;
  readonly members: Map<Recipient, Member> = new Map();
  /** Counts up over the process, in the order in which feeds opened. */
  readonly number: number = ++opened;
  /** Subscribes under way that hold the feed open. */
  claims = 0;
  /** Milliseconds of `performance.now()`. */
  readonly openedAt: number = performance.now();
  /** When the last member left, epoch milliseconds. */
  idleSince: number = Date.now();

  #head: Position | undefined;
  #live = false;
  #early: { epoch: string; entry: Entry }[] = [];
  #earlyOverflow = false;
  /** How often the channel was cut. */
  #cuts = 0;
  #reading: Promise<void> | undefined;
  #older: Promise<Older> | undefined;
  /** Everybody is to be told to refetch as soon as the head is known again. */
  #owesResync = false;
  /** The failover that this relay has heard of may still cost messages. */
  #unsettled = false;
  #touched: Room[] = [];
  #telling: Telling | undefined;
  readonly #host: FeedHost<Feed>;
  readonly #shownTopic: string;

  constructor(options: { site: string; topic: string; shownTopic: string; name: string; limits: LogLimits; host: FeedHost<Feed> }) {
    this.site = options.site;
    this.topic = options.topic;
    this.name = options.name;
    this.limits = options.limits;
    this.#host = options.host;
    this.#shownTopic = options.shownTopic;
    this.rooms = new Rooms(options.topic);
  }

  /** The newest position that this relay vouches for; undefined until the log was first read. */
  get head(): Position | undefined {
    return this.#head;
  }

  /** The head as clients are told it. */
  get told(): Position | undefined {
    return this.#head !== undefined && this.#unsettled ? marked(this.#head) : this.#head;
  }

  get live(): boolean {
    return this.#live;
  }

  get idle(): boolean {
    return this.members.size === 0 && this.claims === 0;
  }

  /** A message from the channel. */
  hear(epoch: string, entry: Entry): void {
    if (!this.#live) return this.#keepEarly(epoch, entry);
    const head = this.#head as Position;
    if (epoch === head.epoch) {
      if (entry.offset <= head.offset) return; // heard already, through a read
      // Anybody can write into a channel: what is no message must not pass for the next one. The log knows.
      const message = entry.offset === head.offset + 1 ? new Message(entry) : undefined;
      if (message?.valid === true) return this.#accept(message);
    }
    this.#host.observe("gap", this);
    this.#keepEarly(epoch, entry);
    this.suspect();
  }

  /** Something may have been missed: stop delivering until the log was read. Harmless when nothing was. */
  suspect(): void {
    this.#live = false;
    this.catchUp().catch(() => undefined); // stays suspended; the relay's next comparison or reconnect reads again
  }

  /** Stops vouching for the head, without reading: the channel was cut. A read under way then proves nothing. */
  suspend(): void {
    this.#live = false;
    this.#cuts++;
  }

  /** Reads what came after the head and goes live. Concurrent calls share one read. */
  catchUp(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    // A busy topic may move on between the read and its reply; each round proves more, and the early messages bridge the rest.
    for (let round = 0; round < 5; round++) {
      this.#earlyOverflow = false;
      const cuts = this.#cuts;
      // What was published between a read and a later confirmation of the channel is in neither.
      const heard = this.#host.hears(this);
      const tail = this.#head === undefined ? this.#host.readTail(this) : this.#host.read(this, this.#head);
      await this.#merge(await tail);
      if (heard && cuts === this.#cuts && this.#host.hears(this) && this.#bridge()) return;
    }
    throw new Error(`The log of ${this.name} could not be read without gaps`);
  }

  /** Takes in what a read found: the missing messages, or a resync where they can't be proved complete. */
  async #merge(tail: Tail): Promise<void> {
    const head = this.#head;
    if (head === undefined) {
      // Older messages are read when somebody asks for them: most topics' never are.
      this.#restart(tail, tail.entries.length < TAIL_MESSAGES);
    } else if (tail.head.epoch === head.epoch && tail.head.offset >= head.offset) {
      const missing = tail.entries.filter((entry) => entry.offset > head.offset);
      if (missing.length === tail.head.offset - head.offset && missing.every((entry, i) => entry.offset === head.offset + i + 1)) {
        await eachInTurns(missing, (entry) => this.#accept(new Message(entry)));
      } else this.#resync(tail, "gap");
    } else this.#resync(tail, "epoch");
  }

  /** Applies early messages; false when they show that the read was not the end of it. */
  #bridge(): boolean {
    const early = this.#early;
    this.#early = [];
    const head = (): Position => this.#head as Position;
    for (const { epoch, entry } of early) {
      if (epoch !== head().epoch) {
        if (this.#host.isNewer(epoch, head().epoch)) return false;
      } else if (entry.offset === head().offset + 1) {
        const message = new Message(entry);
        if (!message.valid) return false;
        this.#accept(message);
      } else if (entry.offset > head().offset) return false;
    }
    if (this.#earlyOverflow) return false;
    this.#live = true;
    if (this.#owesResync) this.resyncAgain();
    else this.#settleDegraded();
    return true;
  }

  /** Compares the head with what the log says it is; anything the channel failed to bring is taken in, or resynced. */
  compare(tail: Tail): void {
    if (!this.#live || this.#head === undefined) return;
    if (tail.head.epoch === this.#head.epoch && tail.head.offset <= this.#head.offset) return;
    if (tail.entries.length <= ITEMS_A_TURN) void this.#merge(tail);
    else this.suspect(); // it takes several turns, and what the channel brings meanwhile has to wait
  }

  /** Looks whether the log has gone on, for a client that comes from further ahead than this relay has heard. */
  async lookAhead(): Promise<void> {
    this.compare(await this.#host.read(this, this.#head));
    await this.#reading;
  }

  #keepEarly(epoch: string, entry: Entry): void {
    if (this.#early.length < MAX_EARLY) this.#early.push({ epoch, entry });
    else {
      this.#earlyOverflow = true;
      this.#host.observe("overflow", this);
    }
  }

  #accept(message: Message): void {
    if (!message.valid) this.#host.observe("invalid", this);
    this.#head = { epoch: (this.#head as Position).epoch, offset: message.offset };
    this.ring.push(message, this.#ringLimits());
    if (this.members.size === 0) return;
    this.#host.inspect?.(this, message);
    const touched = this.rooms.route(message);
    if (touched.length === 0) return;
    if (this.#touched.length === 0) this.#host.scheduleFlush(this);
    this.#touched.push(...touched);
  }

  /** Delivers what this turn brought. Called before anything that moves a cursor or a room of this topic. */
  flush(): void {
    if (this.#touched.length === 0) return;
    const touched = this.#touched;
    this.#touched = [];
    deliver(touched, (codec, messages) => this.#encode(codec, messages));
  }

  #encode(codec: Codec, messages: readonly Message[]): Frame {
    const { epoch } = this.told as Position;
    return codec.messages({ site: this.site, topic: this.#shownTopic, epoch, messages });
  }

  #restart(tail: Tail, everything: boolean): void {
    this.#head = tail.head;
    this.ring.reset(tail.head.offset, toMessages(tail), everything, this.#ringLimits());
  }

  #resync(tail: Tail, cause: ResyncCause): void {
    this.#owesResync = false;
    // What was batched under the old epoch goes out under it.
    this.flush();
    // The read asked for what came after the old head, so it may hold the log only in part.
    this.#restart(tail, false);
    this.#host.observe("resync", this, cause);
    this.#tellResync([...this.members.values()], cause);
  }

  /** A failover: positions say so from now on, until everybody is told to refetch once more. */
  unsettle(): void {
    this.flush();
    this.#unsettled = true;
  }

  /** Tells all members to refetch once more, although nothing new is known to be missing. */
  resyncAgain(): void {
    this.flush();
    this.#unsettled = false;
    this.#owesResync = !this.#live; // the read that is to come need not find anything
    if (this.#owesResync) return;
    this.#tellResync([...this.members.values()], "epoch");
  }

  #settleDegraded(): void {
    const owed = [...this.members.values()].filter((member) => member.degraded);
    if (owed.length === 0) return;
    this.flush();
    this.#tellResync(owed, "degraded");
  }

  /** Some a turn, since a topic may have any number of members. Whoever is still to be told hears nothing else of the topic until then. */
  #tellResync(members: readonly Member[], cause: ResyncCause): void {
    if (members.length === 0) return;
    const begun = this.#telling !== undefined;
    const how = { spread: this.#host.spread(members.length), cause };
    const telling = (this.#telling ??= { members: new Set(), how });
    telling.how = how;
    for (const member of members) {
      member.degraded = true;
      telling.members.add(member);
    }
    if (!begun) this.#tellSome(telling);
  }

  #tellSome(telling: Telling): void {
    this.flush();
    const { epoch, offset } = this.told as Position;
    const list = [{ topic: this.#shownTopic, epoch, offset }];
    const frames = new Frames((codec) => codec.resync(this.site, list, telling.how));
    let told = 0;
    for (const member of telling.members) {
      if (told++ === ITEMS_A_TURN) {
        setImmediate(() => this.#tellSome(telling));
        return;
      }
      telling.members.delete(member);
      member.degraded = false;
      member.told = offset;
      member.recipient.send(frames.for(member.recipient.codec));
    }
    this.#telling = undefined;
  }

  /** Seats a subscription of a socket. The caller has flushed, and writes its ack in the same synchronous step. */
  join(recipient: Recipient, filter: ParsedFilter): Member {
    let member = this.members.get(recipient);
    const fresh = member === undefined;
    member ??= new Member(recipient);
    this.rooms.join(member, filter); // may refuse, before anything has changed
    if (fresh) this.members.set(recipient, member);
    member.subscriptions++;
    if (!this.#live) member.degraded = true;
    // An ack tells one subscription's cursor only; others of the socket may still be owed a position.
    if (fresh) member.told = this.#head?.offset ?? 0;
    return member;
  }

  /** Ends one subscription of a socket. */
  leave(recipient: Recipient, filter: ParsedFilter): void {
    this.flush();
    const member = this.members.get(recipient);
    if (member === undefined) return;
    this.rooms.leave(member, filter);
    if (--member.subscriptions > 0) return;
    this.members.delete(recipient);
    this.#telling?.members.delete(member);
    this.idleSince = Date.now();
  }

  recover(since: Since, filter: ParsedFilter, recipient: Recipient, ring: Ring = this.ring): Recovery {
    const now = this.#host.now();
    return recover(ring, this.#head as Position, this.#settled(since), filter, recipient, { now, oldest: now - this.limits.age });
  }

  /** Where a client is; unknown where it was away when the others were told to refetch once more. */
  #settled(since: Since): Since {
    const position = "position" in since ? unmarked(since.position) : undefined;
    if (position === undefined) return since;
    if (!this.#unsettled && position.epoch === this.#head?.epoch) this.#host.rumour(this);
    return this.#unsettled ? { position } : { unknown: true };
  }

  /**
   * Everything the log keeps, for clients that come from further back than memory reaches. Concurrent calls share one read.
   * Rejects where the log can't be read.
   */
  older(): Promise<Older> {
    this.#older ??= this.#host
      .read(this)
      .then((tail) => this.#takeOlder(tail))
      .finally(() => {
        this.#older = undefined;
      });
    return this.#older;
  }

  async #takeOlder({ head, entries }: Tail): Promise<Older> {
    const ring = new Ring();
    const messages: Message[] = [];
    await eachInTurns(entries, (entry) => messages.push(new Message(entry)));
    ring.reset(head.offset, messages, true, this.#unbounded());
    // Kept as far as there is room, so that the next one to ask is answered from memory.
    if (head.epoch === this.#head?.epoch) this.ring.prepend(ring.after(ring.base) ?? [], this.#ringLimits());
    return { epoch: head.epoch, ring };
  }

  /** Extends what `older` read by what came since; undefined where the two do not meet at the head in one epoch. */
  extend({ epoch, ring }: Older): Ring | undefined {
    const head = this.#head as Position;
    if (epoch !== head.epoch) return undefined;
    const end = ring.base + ring.size;
    for (const message of this.ring.after(end) ?? []) ring.push(message, this.#unbounded());
    return ring.base + ring.size === head.offset ? ring : undefined;
  }

  #unbounded(): { messages: number; bytes: number } {
    return { messages: this.limits.messages, bytes: Number.POSITIVE_INFINITY };
  }

  /** The `positions` entry for this feed, and the members that are not yet told of the head. */
  untold(): { readonly entry: TopicPosition; readonly members: readonly Member[] } | undefined {
    const head = this.told;
    if (!this.#live || head === undefined) return undefined;
    const members = [...this.members.values()].filter((member) => member.told < head.offset && !member.degraded);
    if (members.length === 0) return undefined;
    return { entry: { topic: this.#shownTopic, epoch: head.epoch, offset: head.offset }, members };
  }

  #ringLimits(): { messages: number; bytes: number } {
    return { messages: this.limits.messages, bytes: this.#host.ringBytes() };
  }
}

function toMessages(tail: Tail): Message[] {
  return tail.entries.map((entry) => new Message(entry));
}

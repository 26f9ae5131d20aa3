import {
  filterObject,
  isEpoch,
  isOffset,
  onAcked,
  onMessages,
  onPosition,
  onResync,
  singleValues,
  type JsonObject,
  type ParsedFilter,
  type Position,
  type Step,
  type WireMessage,
} from "@bellwire/protocol";
import type { Message, Resync } from "../api.js";
import type { ClientError } from "../errors.js";
import type { SubscriptionRequest } from "../options.js";
import { readMessages } from "./batch-reader.js";
import { later, lower } from "./order.js";
import { mayReplay } from "./reload-guard.js";
import { oldest, type Replay } from "./replay.js";
import { ResyncTimer } from "./resync-timer.js";

/** Who hears a wire subscription. */
export interface Hearer {
  /** What it wants to hear from before it began. */
  readonly replay: Replay;
  confirm(): void;
  deliver(message: Message): void;
  resync(resync: Resync): void;
  /** The relay has said what it had to say: one that joined late may be told the last message. */
  catchUp?(): void;
  /** The status is another, or the same for another reason. */
  changed?(): void;
}

/** A question takes its time to the relay, for which it must not miss what is just younger than the page. In milliseconds. */
const ON_THE_WAY = 10_000;

type Status = "wanted" | "asking" | "sent" | "waiting" | "subscribed" | "gone";

/** A cursor that no relay's position equals: the first message behind it is an unannounced change of epoch. */
const NOWHERE: Position = { epoch: "", offset: 0 };

/**
 * One (topic, filter) as the relay knows it, whatever the number of those who hear it: its cursor, ticket and last message.
 * - `wanted`: to be sent - `asking`: its token is asked for - `sent`: its ack is awaited - `waiting`: to be tried again later
 * - `subscribed` - `gone`
 */
export class WireSubscription {
  id: string;
  readonly topic: string;
  readonly filter: ParsedFilter;
  readonly hearers: Set<Hearer> = new Set();
  #status: Status = "wanted";
  /** Why it is `waiting`, until it is confirmed. */
  error: ClientError | undefined;
  ticket: string | undefined;
  token: string | undefined;
  /** A token was asked for, though maybe none given. */
  asked = false;
  /** Refusals since the last ack. */
  attempts = 0;
  /** The latest message known to match, for those who join later. */
  last: Message | undefined;
  /** What the relay was asked to replay: the oldest age, in milliseconds. */
  #replayed = -1;
  /** Epoch milliseconds: but for `last`, nothing that matches is younger than this. Infinity: nothing is known. */
  #blank = Infinity;
  /** Where those who hear it had been on an earlier one. */
  #start: Position | null | undefined;
  /** Undefined before the first ack; null where that came without a usable position. */
  #cursor: Position | null | undefined;
  /** Nothing between here and the cursor matches. */
  #quiet: Position | undefined;
  /** While messages are told, what is before the present one. */
  #telling: { before: Position | null | undefined } | undefined;
  readonly #resyncTimer: ResyncTimer;
  readonly #ageOf: (time: number) => number;

  /** @param ageOf what a message's `time` is as an age, in milliseconds */
  constructor(id: string, topic: string, filter: ParsedFilter, random: () => number, ageOf: (time: number) => number = () => 0) {
    this.id = id;
    this.topic = topic;
    this.filter = filter;
    this.#resyncTimer = new ResyncTimer(() => this.#tellResync(), random);
    this.#ageOf = ageOf;
  }

  get status(): Status {
    return this.#status;
  }

  set status(status: Status) {
    this.#status = status;
    for (const hearer of this.hearers) hearer.changed?.();
  }

  get request(): SubscriptionRequest {
    return { topic: this.topic, filter: filterObject(this.filter) };
  }

  /** What to resume from: undefined the first time, null where the position is unknown. */
  get since(): Position | null | undefined {
    return this.#cursor === undefined ? this.#start : this.#cursor;
  }

  /** The oldest age that the relay is asked to replay, in milliseconds; below 0: none of those who hear it wants any. */
  get replay(): number {
    return Math.max(-1, ...Array.from(this.hearers, ({ replay }) => oldest(replay, ON_THE_WAY)));
  }

  /**
   * Makes room for one more, if it can be told all that it wants: what it missed since its seat's position, else the last message.
   * @param most the oldest age that it wants replayed, in milliseconds
   */
  takes(position: Position | null | undefined, most: number): boolean {
    if (most < 0) return true;
    if (this.#cursor !== undefined) {
      if (position === undefined) return this.last !== undefined || Date.now() - most >= this.#blank;
      // One that is owed a resync is told along with the others.
      return position === null ? this.#resyncTimer.isDue : this.#quiet !== undefined && !later(this.#quiet, position);
    }
    if (this.status === "sent") {
      if (!this.#start || !position) return position === undefined && this.#start === undefined && this.#replayed >= most;
      return !later(this.#start, position);
    }
    const lowest = this.replay < 0 ? { position } : lower(this.#start, position);
    if (lowest === undefined) return false;
    this.#start = lowest.position;
    return true;
  }

  /** Up to where one has heard that leaves now, if anywhere. @param own what it was told last */
  heardBy(own: Position | null | undefined): Position | null | undefined {
    if (this.#resyncTimer.isDue) return null;
    const told = this.#telling === undefined ? this.#cursor : this.#telling.before;
    return own && (told === undefined || (told && told.epoch === own.epoch && later(own, told))) ? own : told;
  }

  /** It goes out to the relay. */
  sent(): void {
    this.status = "sent";
    this.#replayed = this.replay;
  }

  /** The relay confirms: an ack's result or `subscribed`, whose messages are for this subscription alone. */
  acked(ack: JsonObject): void {
    const first = this.#cursor === undefined;
    const { epoch, offset, spread } = ack;
    this.status = "subscribed";
    this.attempts = 0;
    this.error = undefined;
    this.dropTokens();
    this.ticket = typeof ack.ticket === "string" ? ack.ticket : undefined;
    if (first && this.#start === undefined) this.#blank = Date.now() - this.#replayed;
    for (const hearer of [...this.hearers]) hearer.confirm();
    if (isEpoch(epoch) && isOffset(offset)) {
      // Until the messages are told.
      if (first) this.#quiet = this.#start ?? { epoch, offset };
      this.#apply(onAcked({ epoch, offset, messages: readMessages(ack.messages), resync: ack.resync === true }), first, spread);
    } else {
      this.#cursor = null;
      this.#lose();
      if (ack.resync === true) this.#resyncTimer.start(Number(spread) || 0);
    }
    for (const hearer of [...this.hearers]) hearer.catchUp?.();
  }

  messages(epoch: string, batch: readonly WireMessage[]): void {
    this.#apply(onMessages(this.#cursor ?? NOWHERE, this.filter, epoch, batch));
  }

  position(position: Position): void {
    this.#apply(onPosition(this.#cursor ?? NOWHERE, position));
  }

  resync(position: Position, spread: unknown): void {
    this.#apply(onResync(position), false, spread);
  }

  /** Tells one of a message from before it began, if it is not too old for it. */
  replayTo(hearer: Hearer, message: Message): void {
    const age = this.#ageOf(message.time);
    if (age <= oldest(hearer.replay) && mayReplay(message)) hearer.deliver({ ...message, replay: true, age });
  }

  dropTokens(): void {
    this.token = undefined;
    this.asked = false;
  }

  /** What one user heard is not for the next: those who still hear it are told to fetch again. */
  forget(): void {
    this.#lose();
    this.ticket = undefined;
    if (this.since !== undefined) this.#cursor = null;
  }

  /** Nothing is told any more. */
  end(): void {
    this.status = "gone";
    this.#resyncTimer.stop();
  }

  #apply({ cursor, deliver, resync }: Step, replay = false, spread: unknown = 0): void {
    const { epoch } = cursor;
    let before = this.since;
    // First the cursor: a callback may look at, or end, anything.
    this.#cursor = cursor;
    for (const [offset, time, data] of deliver) {
      const message: Message = { topic: this.topic, data, epoch, offset, time, replay: false };
      this.last = message;
      this.#quiet = { epoch, offset };
      this.#telling = { before };
      before = this.#quiet;
      for (const hearer of [...this.hearers])
        if (replay) this.replayTo(hearer, message);
        else hearer.deliver(message);
    }
    this.#telling = undefined;
    if (!resync) return;
    // What was the last message may not be it any more.
    this.#lose();
    this.#quiet = cursor;
    this.#resyncTimer.start(Number(spread) || 0);
  }

  #lose(): void {
    this.last = this.#quiet = undefined;
    this.#blank = Infinity;
  }

  #tellResync(): void {
    const resync: Resync = { resync: true, topic: this.topic, data: singleValues(this.filter) };
    for (const hearer of [...this.hearers]) hearer.resync(resync);
  }
}

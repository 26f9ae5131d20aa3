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
import type { SubscriptionRequest } from "../options.js";
import { readMessages } from "./batch-reader.js";
import { ResyncTimer } from "./resync-timer.js";

/** Who hears a wire subscription. */
export interface Hearer {
  /** Whether it wants the last message at the start. */
  readonly replay: boolean;
  confirm(): void;
  deliver(message: Message): void;
  resync(resync: Resync): void;
}

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
  status: "wanted" | "asking" | "sent" | "waiting" | "subscribed" | "gone" = "wanted";
  ticket: string | undefined;
  token: string | undefined;
  /** A token was asked for, though maybe none given. */
  asked = false;
  /** Refusals since the last ack. */
  attempts = 0;
  /** The latest message that matched, for those who join later. */
  last: Message | undefined;
  /** Undefined before the first ack; null where that came without a usable position. */
  #cursor: Position | null | undefined;
  readonly #resyncTimer: ResyncTimer;

  constructor(id: string, topic: string, filter: ParsedFilter, random: () => number) {
    this.id = id;
    this.topic = topic;
    this.filter = filter;
    this.#resyncTimer = new ResyncTimer(() => this.#tellResync(), random);
  }

  get request(): SubscriptionRequest {
    return { topic: this.topic, filter: filterObject(this.filter) };
  }

  /** What to resume from: undefined the first time, null where the position is unknown. */
  get since(): Position | null | undefined {
    return this.#cursor;
  }

  /** The relay confirms: an ack's result or `subscribed`, whose messages are for this subscription alone. */
  acked(ack: JsonObject): void {
    const first = this.#cursor === undefined;
    const { epoch, offset, spread } = ack;
    this.status = "subscribed";
    this.attempts = 0;
    this.dropTokens();
    this.ticket = typeof ack.ticket === "string" ? ack.ticket : undefined;
    for (const hearer of [...this.hearers]) hearer.confirm();
    if (isEpoch(epoch) && isOffset(offset)) {
      this.#apply(onAcked({ epoch, offset, messages: readMessages(ack.messages), resync: ack.resync === true }), first, spread);
    } else {
      this.#cursor = null;
      if (ack.resync === true) this.#resyncTimer.start(Number(spread) || 0);
    }
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

  dropTokens(): void {
    this.token = undefined;
    this.asked = false;
  }

  /** Nothing is told any more. */
  end(): void {
    this.status = "gone";
    this.#resyncTimer.stop();
  }

  #apply({ cursor, deliver, resync }: Step, replay = false, spread: unknown = 0): void {
    // First the cursor: a callback may look at, or end, anything.
    this.#cursor = cursor;
    for (const [offset, time, data] of deliver) {
      const message: Message = { topic: this.topic, data, epoch: cursor.epoch, offset, time, replay };
      this.last = message;
      for (const hearer of [...this.hearers]) if (!replay || hearer.replay) hearer.deliver(message);
    }
    if (!resync) return;
    // What was the last message may not be it any more.
    this.last = undefined;
    this.#resyncTimer.start(Number(spread) || 0);
  }

  #tellResync(): void {
    const resync: Resync = { resync: true, topic: this.topic, data: singleValues(this.filter) };
    for (const hearer of [...this.hearers]) hearer.resync(resync);
  }
}

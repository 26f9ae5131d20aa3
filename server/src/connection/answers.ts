import type { WireMessage } from "@bellwire/protocol";
import type { Feed } from "../feed/feed.js";
import type { Older } from "../feed/feed-host.js";
import type { Recipient } from "../feed/member.js";
import type { Message } from "../feed/message.js";
import type { Recovery } from "../feed/recovery.js";
import { COST, requireWork, type Work } from "../pacing/work.js";
import { stringifyRaw, RawJson } from "../wire/raw-json.js";
import type { SubscribeRequest } from "./subscribe-item.js";

/** Messages that the answers to one `subscribe` hold together, and bytes of their data: past them a client refetches. */
export const ANSWER_LIMITS = { messages: 5000, bytes: 2_097_152 } as const;

type Request = Pick<SubscribeRequest, "topic" | "filter" | "since">;
type Found = Exclude<Recovery, "older">;

/** What is answered to one item. */
export interface Answer {
  readonly messages: WireMessage[];
  readonly resync: boolean;
}

interface Known {
  readonly epoch: string;
  readonly offset: number;
  readonly found: Found;
  wire: WireMessage[] | undefined;
}

const NOTHING: WireMessage[] = [];

/**
 * What the items of one `subscribe` have missed. Items that ask the same of the same topic are looked up once and share their
 * messages, which are encoded once; together they hold no more than `ANSWER_LIMITS`.
 */
export class Answers {
  readonly #recipient: Recipient;
  readonly #work: Work;
  readonly #known = new Map<string, Known>();
  readonly #older = new Map<Feed, Promise<Older>>();
  #messages = 0;
  #bytes = 0;

  /** @param work what looking costs is taken from it */
  constructor(recipient: Recipient, work: Work) {
    this.#recipient = recipient;
    this.#work = work;
  }

  /**
   * Looks an item up, so that `take` need not. True where only older messages than those in memory can tell.
   * @throws BellwireError `limit` where the connection has looked through too much
   */
  seek(feed: Feed, request: Request, older?: Older): boolean {
    return this.#find(feed, request, older) === undefined;
  }

  /** Reads all that the log keeps: once, whatever the number of items that need it. */
  older(feed: Feed): Promise<Older> {
    let older = this.#older.get(feed);
    if (older === undefined) {
      this.#work.spend(COST.logRead);
      this.#older.set(feed, (older = feed.older()));
    }
    return older;
  }

  /** The answer to an item, as of now. @throws BellwireError as `seek` */
  take(feed: Feed, request: Request, older: Older | undefined): Answer {
    const known = this.#find(feed, request, older);
    if (known === undefined) return { messages: NOTHING, resync: !("first" in request.since) };
    const { messages, resync } = known.found;
    if (messages.length === 0) return { messages: NOTHING, resync };
    const bytes = messages.reduce((sum, { text }) => sum + text.length, 0);
    if (this.#messages + messages.length > ANSWER_LIMITS.messages || this.#bytes + bytes > ANSWER_LIMITS.bytes) {
      return { messages: NOTHING, resync: true };
    }
    this.#messages += messages.length;
    this.#bytes += bytes;
    this.#work.spend((bytes / 4096) * COST.kibibyte);
    return { messages: (known.wire ??= encodedOnce(messages)), resync };
  }

  #find(feed: Feed, request: Request, older: Older | undefined): Known | undefined {
    const { head } = feed;
    if (head === undefined) return undefined; // degraded: nothing can be known before the log is back
    const { since, filter } = request;
    const key = `${feed.name}\n${filter.canonical}\n${JSON.stringify(since)}`;
    const known = this.#known.get(key);
    if (known?.epoch === head.epoch) {
      if (known.offset === head.offset) return known;
      const later = this.#later(feed, request, known);
      if (later !== undefined) return this.#keep(key, { ...head, found: later, wire: undefined });
    }
    const found = this.#look(feed, request, older);
    return found === undefined ? undefined : this.#keep(key, { ...head, found, wire: undefined });
  }

  #keep(key: string, known: Known): Known {
    this.#known.set(key, known);
    return known;
  }

  #look(feed: Feed, { since, filter }: Request, older: Older | undefined): Found | undefined {
    if (!("unknown" in since)) requireWork(this.#work, (older?.ring ?? feed.ring).size / COST.messagesLookedAt);
    const found = feed.recover(since, filter, this.#recipient);
    if (found !== "older") return found;
    const ring = older === undefined ? undefined : feed.extend(older);
    const further = ring === undefined ? "older" : feed.recover(since, filter, this.#recipient, ring);
    return further === "older" ? undefined : further;
  }

  /** What was found, and what came since; undefined where it has to be looked for anew. */
  #later(feed: Feed, { since, filter }: Request, { epoch, offset, found }: Known): Found | undefined {
    if (found.resync || ("first" in since && typeof since.replay === "object")) return undefined;
    if ("first" in since && !since.replay) return found;
    const later = feed.recover({ position: { epoch, offset } }, filter, this.#recipient);
    if (later === "older" || later.resync) return undefined;
    if (later.messages.length === 0) return found;
    if ("first" in since) return { messages: later.messages.slice(-1), resync: false };
    return undefined; // the bounds of one answer hold for both together
  }
}

/** Messages that are written once, however many answers hold them. */
function encodedOnce(messages: readonly Message[]): WireMessage[] {
  const wire = messages.map((message) => message.toWire());
  if (wire.length === 1) return wire;
  let text: RawJson | undefined;
  Object.defineProperty(wire, "toJSON", { value: () => (text ??= new RawJson(stringifyRaw([...wire]))).toJSON() });
  return wire;
}

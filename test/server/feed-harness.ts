import type { Position, WireMessage } from "@bellwire/protocol";
import { parseFilter, type Filter } from "@bellwire/protocol";
import { Feed } from "../../server/src/feed/feed.js";
import type { FeedHost } from "../../server/src/feed/feed-host.js";
import type { Recipient } from "../../server/src/feed/member.js";
import { TAIL_MESSAGES, type Entry, type Tail } from "../../server/src/stores/log.js";
import type { SocketFrame } from "../../server/src/socket/frame.js";
import { socketCodec } from "../../server/src/socket/socket-codec.js";

export type Packet =
  | { event: "messages"; epoch: string; batch: WireMessage[] }
  | { event: "resync"; position: Position; cause: string }
  | { event: "positions"; position: Position };

/** A socket that keeps what it is sent. */
export class Listener implements Recipient {
  readonly codec = socketCodec;
  readonly user: string;
  readonly session: string;
  readonly client: string;
  readonly packets: Packet[] = [];

  constructor(user = "ann", session = "s1", client = "c1") {
    this.user = user;
    this.session = session;
    this.client = client;
  }

  send(frame: SocketFrame): void {
    const [event, ...args] = JSON.parse(frame.text.slice(frame.text.indexOf(",") + 1)) as [string, ...unknown[]];
    if (event === "messages") this.packets.push({ event, epoch: args[1] as string, batch: args[2] as WireMessage[] });
    else if (event === "resync") {
      const [{ epoch, offset }] = args[0] as [Position];
      this.packets.push({ event, position: { epoch, offset }, cause: (args[1] as { cause: string }).cause });
    }
  }

  /** Offsets heard, packet by packet. */
  get offsets(): number[][] {
    return this.packets.flatMap((packet) => (packet.event === "messages" ? [packet.batch.map(([offset]) => offset)] : []));
  }

  get resyncs(): Position[] {
    return this.packets.flatMap((packet) => (packet.event === "resync" ? [packet.position] : []));
  }
}

/** A feed whose log is scripted by the test. */
export class FeedHarness implements FeedHost<Feed> {
  readonly feed: Feed;
  hearing = true;
  epoch = "100";
  /** What the log holds. */
  entries: Entry[] = [];
  flushes = 0;
  reads = 0;
  /** Replaces the next reads; each may wait, fail, or do something before it answers. */
  readonly onRead: ((since: Position | undefined) => Promise<Tail> | undefined)[] = [];

  constructor(limits = { messages: 1000, age: 86_400_000 }) {
    this.feed = new Feed({ site: "5", topic: "T", shownTopic: "T", name: "5:T", limits, host: this });
  }

  static async live(entries: Entry[] = []): Promise<FeedHarness> {
    const harness = new FeedHarness();
    harness.entries = entries;
    await harness.feed.catchUp();
    return harness;
  }

  read(_feed: Feed, since?: Position): Promise<Tail> {
    this.reads++;
    const scripted = this.onRead.shift()?.(since);
    return scripted ?? Promise.resolve(this.tail(since));
  }

  readTail(feed: Feed): Promise<Tail> {
    return this.read(feed).then(({ head, entries }) => ({ head, entries: entries.slice(-TAIL_MESSAGES) }));
  }

  tail(since?: Position): Tail {
    const after = since?.epoch === this.epoch ? since.offset : 0;
    const offset = this.entries[this.entries.length - 1]?.offset ?? 0;
    return { head: { epoch: this.epoch, offset }, entries: this.entries.filter((entry) => entry.offset > after) };
  }

  /** Appends to the log and rings the channel, as a publish does. */
  publish(data: object, except?: Entry["except"]): Entry {
    const entry = this.append(data, except);
    this.feed.hear(this.epoch, entry);
    return entry;
  }

  /** Appends to the log only: the channel loses it. */
  append(data: object, except?: Entry["except"]): Entry {
    const entry = {
      offset: (this.entries[this.entries.length - 1]?.offset ?? 0) + 1,
      time: Date.now(),
      data: JSON.stringify(data),
      except,
    };
    this.entries.push(entry);
    return entry;
  }

  join(listener: Listener, filter: Filter = {}): void {
    this.feed.flush();
    this.feed.join(listener, parseFilter(filter));
  }

  leave(listener: Listener, filter: Filter = {}): void {
    this.feed.leave(listener, parseFilter(filter));
  }

  isNewer(epoch: string, than: string): boolean {
    return Number(epoch) > Number(than);
  }

  now(): number {
    return Date.now();
  }

  hears(): boolean {
    return this.hearing;
  }

  scheduleFlush(): void {
    this.flushes++;
  }

  spread(): number {
    return 0;
  }

  ringBytes(): number {
    return 1_000_000;
  }

  rumour(): void {}

  observe(): void {}
}

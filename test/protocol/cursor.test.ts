import { expect } from "chai";
import fc from "fast-check";
import {
  filterMatches,
  onAcked,
  onMessages,
  onPosition,
  onResync,
  parseFilter,
  type Filter,
  type JsonObject,
  type ParsedFilter,
  type Position,
  type Step,
  type WireMessage,
} from "@bellwire/protocol";

/** The log of one topic, of which the relay remembers the last `kept`. A restart opens a new epoch. */
class Log {
  epoch = 1;
  messages: WireMessage[] = [];
  /** What any epoch ever held, for the oracle. */
  readonly past = new Map<string, WireMessage[]>([["1", this.messages]]);
  readonly kept: number;

  constructor(kept: number) {
    this.kept = kept;
  }

  get head(): Position {
    return { epoch: String(this.epoch), offset: this.messages.length };
  }

  append(data: JsonObject): WireMessage {
    const message: WireMessage = [this.messages.length + 1, 0, data];
    this.messages.push(message);
    return message;
  }

  restart(): void {
    this.epoch++;
    this.messages = [];
    this.past.set(String(this.epoch), this.messages);
  }

  /** All after a position, or undefined where that can't be proved complete. */
  after({ epoch, offset }: Position): WireMessage[] | undefined {
    if (epoch !== String(this.epoch) || offset > this.messages.length || offset < this.messages.length - this.kept) return undefined;
    return this.messages.slice(offset);
  }
}

type Packet =
  | { kind: "ack"; id: string; epoch: string; offset: number; messages: WireMessage[]; resync: boolean }
  | { kind: "messages"; epoch: string; batch: WireMessage[] }
  | { kind: "position"; at: Position }
  | { kind: "resync"; at: Position };

/** A relay with one client: batches what matches any of its subscriptions, and flushes before anything else is said. */
class Relay {
  readonly wire: Packet[] = [];
  private readonly admitted = new Map<string, ParsedFilter>();
  private pending: WireMessage[] = [];
  private readonly log: Log;

  constructor(log: Log) {
    this.log = log;
  }

  publish(data: JsonObject): void {
    const message = this.log.append(data);
    if ([...this.admitted.values()].some((filter) => filterMatches(filter, data))) this.pending.push(message);
  }

  flush(): void {
    if (this.pending.length > 0) this.wire.push({ kind: "messages", epoch: String(this.log.epoch), batch: this.pending });
    this.pending = [];
  }

  position(): void {
    this.flush();
    if (this.admitted.size > 0) this.wire.push({ kind: "position", at: this.log.head });
  }

  resync(): void {
    this.flush();
    if (this.admitted.size > 0) this.wire.push({ kind: "resync", at: this.log.head });
  }

  restart(told: boolean): void {
    this.flush();
    this.log.restart();
    if (told) this.resync();
  }

  subscribe(id: string, filter: ParsedFilter, since: Position | null | undefined): void {
    this.flush();
    const missed = since === undefined ? [] : since === null ? undefined : this.log.after(since);
    this.admitted.set(id, filter);
    const messages = (missed ?? []).filter(([, , data]) => filterMatches(filter, data));
    this.wire.push({ kind: "ack", id, ...this.log.head, messages, resync: missed === undefined });
  }

  unsubscribe(id: string): void {
    this.flush();
    this.admitted.delete(id);
  }

  hangUp(): void {
    this.wire.length = 0;
    this.pending = [];
    this.admitted.clear();
  }
}

interface Heard {
  readonly at: Position;
  readonly messages: readonly WireMessage[];
  readonly resync: boolean;
}

/** One subscription of the client under test, with everything that its callback was told. */
class Subscription {
  cursor: Position | undefined;
  /** Only an acked subscription takes live messages: a batch sent before its ack is also part of the ack. */
  state: "off" | "asked" | "acked" = "off";
  readonly heard: Heard[] = [];
  readonly filter: ParsedFilter;

  constructor(filter: Filter) {
    this.filter = parseFilter(filter);
  }

  take(packet: Packet): void {
    if (packet.kind === "ack") {
      this.state = "acked";
      return this.step(onAcked(packet));
    }
    if (this.cursor === undefined || this.state !== "acked") return;
    switch (packet.kind) {
      case "messages":
        return this.step(onMessages(this.cursor, this.filter, packet.epoch, packet.batch));
      case "position":
        return this.step(onPosition(this.cursor, packet.at));
      case "resync":
        return this.step(onResync(packet.at));
    }
  }

  private step(step: Step): void {
    this.cursor = step.cursor;
    this.heard.push({ at: step.cursor, messages: step.deliver, resync: step.resync });
  }
}

const value = fc.nat({ max: 2 });
const filter = fc.oneof(
  fc.constant<Filter>({}),
  fc.record({ a: value }),
  fc.record({ a: fc.uniqueArray(value, { minLength: 1 }) }),
  fc.record({ a: value, b: value }),
);
const data = fc.record({ a: value, b: value });
const at = fc.nat({ max: 2 });
type Action =
  | readonly ["publish", JsonObject]
  | readonly ["open" | "close", number]
  | readonly ["flush" | "receive" | "position" | "resync" | "lose" | "restart" | "silent restart"];
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(fc.constant("publish" as const), data) },
  { weight: 4, arbitrary: fc.tuple(fc.constant("open" as const), at) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("close" as const), at) },
  { weight: 5, arbitrary: fc.tuple(fc.constant("flush" as const)) },
  { weight: 8, arbitrary: fc.tuple(fc.constant("receive" as const)) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom("position" as const, "lose" as const)) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom("resync" as const, "restart" as const, "silent restart" as const)) },
);

function play(filters: Filter[], kept: number, actions: readonly Action[]): { log: Log; subscriptions: Subscription[] } {
  const log = new Log(kept);
  const relay = new Relay(log);
  const subscriptions = filters.map((filter) => new Subscription(filter));
  const receive = (): void => {
    const packet = relay.wire.shift();
    if (packet === undefined) return;
    if (packet.kind === "ack") {
      const one = subscriptions[Number(packet.id)] as Subscription;
      if (one.state === "asked") one.take(packet);
      return;
    }
    for (const one of subscriptions) one.take(packet);
  };
  const open = (index: number): void => {
    const one = subscriptions[index];
    if (one === undefined || one.state !== "off") return;
    one.state = "asked";
    relay.subscribe(String(index), one.filter, one.cursor);
  };
  const close = (index: number): void => {
    const one = subscriptions[index];
    if (one?.state !== "acked") return;
    one.state = "off";
    relay.unsubscribe(String(index));
  };
  for (const [kind, detail] of actions) {
    switch (kind) {
      case "publish":
        relay.publish(detail);
        break;
      case "open":
        open(detail);
        break;
      case "close":
        close(detail);
        break;
      case "flush":
        relay.flush();
        break;
      case "receive":
        receive();
        break;
      case "position":
        relay.position();
        break;
      case "resync":
        relay.resync();
        break;
      case "restart":
        relay.restart(true);
        break;
      case "silent restart":
        relay.restart(false);
        break;
      case "lose":
        // The connection breaks: what was on the way is lost, and who had a subscription comes back with its cursor.
        relay.hangUp();
        for (const [index, one] of subscriptions.entries()) {
          if (one.state === "off") continue;
          one.state = "off";
          open(index);
        }
        break;
    }
  }
  for (const index of subscriptions.keys()) open(index);
  relay.position();
  while (relay.wire.length > 0) receive();
  return { log, subscriptions };
}

/** The promise: every matching message after the first ack, once and in order, or a resync in its place. */
function check(log: Log, one: Subscription): void {
  let known: Position | undefined;
  for (const { at, messages, resync } of one.heard) {
    if (resync || known === undefined) {
      known = at;
      expect(messages, "a resync comes alone, a first ack brought nothing here").to.deep.equal([]);
      continue;
    }
    expect(at.epoch, "an epoch changes with a resync only").to.equal(known.epoch);
    expect(at.offset).to.be.at.least(known.offset);
    const due = (log.past.get(at.epoch) ?? []).slice(known.offset, at.offset).filter(([, , data]) => filterMatches(one.filter, data));
    expect(messages.map(([offset]) => offset)).to.deep.equal(due.map(([offset]) => offset));
    known = at;
  }
  expect(known, "at rest everybody has heard all").to.deep.equal(log.head);
}

describe("a subscription's cursor", () => {
  it("hears every matching message once and in order, or is told to refetch, over any interleaving", () => {
    let resyncs = 0;
    let delivered = 0;
    fc.assert(
      fc.property(
        fc.array(filter, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 12 }),
        fc.array(action, { maxLength: 80, size: "max" }),
        (filters, kept, actions) => {
          const { log, subscriptions } = play(filters, kept, actions);
          for (const one of subscriptions) {
            check(log, one);
            for (const heard of one.heard) {
              if (heard.resync) resyncs++;
              delivered += heard.messages.length;
            }
          }
        },
      ),
      { numRuns: 3000 },
    );
    expect(resyncs, "the runs did meet resyncs").to.be.above(100);
    expect(delivered, "the runs did deliver").to.be.above(1000);
  });

  it("takes a batch twice without a second delivery", () => {
    const everything = parseFilter({});
    fc.assert(
      fc.property(fc.nat({ max: 10 }), fc.nat({ max: 10 }), fc.integer({ min: 1, max: 5 }), (at, from, length) => {
        const batch = Array.from({ length }, (_, i): WireMessage => [from + i + 1, 0, {}]);
        const first = onMessages({ epoch: "1", offset: at }, everything, "1", batch);
        expect(first.deliver.map(([offset]) => offset)).to.deep.equal(batch.map(([offset]) => offset).filter((offset) => offset > at));
        expect(onMessages(first.cursor, everything, "1", batch)).to.deep.equal({ cursor: first.cursor, deliver: [], resync: false });
      }),
    );
  });

  it("rises to the end of a batch that holds nothing for it", () => {
    const step = onMessages({ epoch: "1", offset: 3 }, parseFilter({ id: 5 }), "1", [[4, 0, { id: 6 }]]);
    expect(step).to.deep.equal({ cursor: { epoch: "1", offset: 4 }, deliver: [], resync: false });
  });

  it("is never lowered by positions, but is by a resync", () => {
    const cursor = { epoch: "1", offset: 9 };
    expect(onPosition(cursor, { epoch: "1", offset: 4 })).to.deep.equal({ cursor, deliver: [], resync: false });
    expect(onResync({ epoch: "1", offset: 4 })).to.deep.equal({ cursor: { epoch: "1", offset: 4 }, deliver: [], resync: true });
  });

  it("turns another epoch into a resync, in batches and positions alike", () => {
    const cursor = { epoch: "1", offset: 9 };
    expect(onPosition(cursor, { epoch: "2", offset: 9 })).to.deep.equal({ cursor: { epoch: "2", offset: 9 }, deliver: [], resync: true });
    expect(onMessages(cursor, parseFilter({}), "2", [[1, 0, {}]])).to.deep.equal({
      cursor: { epoch: "2", offset: 1 },
      deliver: [],
      resync: true,
    });
  });

  it("stays where it is on an empty batch", () => {
    const cursor = { epoch: "1", offset: 9 };
    expect(onMessages(cursor, parseFilter({}), "2", [])).to.deep.equal({ cursor, deliver: [], resync: false });
  });

  it("has nothing delivered by an ack that says resync", () => {
    expect(onAcked({ epoch: "1", offset: 2, messages: [[2, 0, {}]], resync: true }).deliver).to.deep.equal([]);
  });
});

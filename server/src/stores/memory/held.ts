import { BellwireError } from "@bellwire/protocol";
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
  type RevokeCommand,
  type Standing,
  type SubscribeCommand,
  type UnsubscribeCommand,
} from "@bellwire/emitter/commands";
import { systemClock, type Clock } from "../../pacing/clock.js";
import { NOTHING_HELD, type HeldStore, type Visitor } from "../held.js";

export interface MemoryHeldStoreOptions {
  /** Milliseconds that an owner's subscriptions are kept without a command or use. Default 24 h. */
  readonly life?: number;
  readonly clock?: Pick<Clock, "now">;
}

/** What is stored for one owner, or for everybody on a site: of these, ends only. */
interface Shelf {
  readonly held: Map<string, Held>;
  readonly ends: Map<string, End>;
  /** Epoch milliseconds. */
  until: number;
}

const MAX_SHELVES = 200_000;

/** What the server subscribed for owners, in one process; it ends with it, as its logs do. */
export class MemoryHeldStore implements HeldStore {
  readonly #life: number;
  readonly #clock: Pick<Clock, "now">;
  /** By site and owner; those that were used last come last. */
  readonly #shelves = new Map<string, Shelf>();
  /** Of the last command, microseconds. */
  #stamp = 0;

  constructor({ life = HELD_LIFE_MS, clock = systemClock }: MemoryHeldStoreOptions = {}) {
    this.#life = life;
    this.#clock = clock;
  }

  async add(command: SubscribeCommand): Promise<void> {
    const { site } = command;
    const owner = ownerOf(command) as Owner;
    this.#expire();
    if (this.#shelves.size >= MAX_SHELVES && !this.#shelves.has(nameOf(site, ownerOf(command))))
      throw new BellwireError("limit", "The server holds subscriptions for too many at a time");
    const everybody = this.#use(site, undefined, true);
    const { held, ends } = this.#use(site, owner, true);
    const text = heldText(command);
    const full = (): boolean => !held.has(text) && held.size >= MAX_HELD;
    if (full()) dropEnded(held, [...ends.values(), ...everybody.ends.values()]);
    if (full()) throw new BellwireError("limit", `The server holds ${MAX_HELD} subscriptions for this ${owner.kind}: end some of them`);
    const parsed = parseHeld(text, this.#tick(), owner.kind);
    if (parsed !== undefined) held.set(text, parsed);
  }

  async remove(command: UnsubscribeCommand | RevokeCommand): Promise<void> {
    const { site } = command;
    const text = endText(command);
    const end = text === undefined ? undefined : parseEnd(text, this.#tick());
    this.#expire();
    if (text === undefined || end === undefined) return;
    // Where nothing is held a revocation has nothing to end; an `unsubscribe` may end what a token lists.
    if (end.wide && !this.#shelves.has(nameOf(site))) return;
    if (this.#shelves.size >= MAX_SHELVES && !this.#shelves.has(nameOf(site, ownerOf(command))))
      throw new BellwireError("limit", "The server ends subscriptions for too many at a time");
    this.#use(site, undefined, true);
    const { held, ends } = this.#use(site, ownerOf(command), true);
    dropEnded(held, [end]);
    if (!ends.delete(text) && ends.size >= MAX_ENDS && !forgetOldest(ends))
      throw new BellwireError("limit", `More than ${MAX_ENDS} revocations concern subscriptions that the server made here`);
    ends.set(text, end);
  }

  async of(site: string, visitor: Visitor): Promise<Standing> {
    this.#expire();
    if (!this.#shelves.has(nameOf(site))) return NOTHING_HELD;
    const shelves = ownersOf({ ...visitor }).flatMap((owner) => this.#use(site, owner, false) ?? []);
    const ends = [this.#use(site, undefined, true), ...shelves].flatMap((shelf) => [...shelf.ends.values()]);
    const all = shelves.flatMap((shelf) => [...shelf.held.values()]);
    return standingOf(all, ends);
  }

  changed(): void {}

  /** The time, and always above the last one. */
  #tick(): number {
    this.#stamp = Math.max(Date.now() * 1000, this.#stamp + 1);
    return this.#stamp;
  }

  #use(site: string, owner: Owner | undefined, make: true): Shelf;
  #use(site: string, owner: Owner | undefined, make: false): Shelf | undefined;
  #use(site: string, owner: Owner | undefined, make: boolean): Shelf | undefined {
    const name = nameOf(site, owner);
    const until = this.#clock.now() + this.#life;
    const shelf = this.#shelves.get(name) ?? (make ? { held: new Map(), ends: new Map(), until } : undefined);
    if (shelf === undefined) return undefined;
    shelf.until = until;
    this.#shelves.delete(name);
    this.#shelves.set(name, shelf);
    return shelf;
  }

  #expire(): void {
    const now = this.#clock.now();
    for (const [name, { until }] of this.#shelves) {
      if (until > now) return;
      this.#shelves.delete(name);
    }
  }
}

/** A site's name holds no colon. */
function nameOf(site: string, owner?: Owner): string {
  return owner === undefined ? site : `${site}:${owner.kind}:${owner.id}`;
}

function dropEnded(held: Map<string, Held>, ends: readonly End[]): void {
  for (const [text, one] of held) if (hasEnded(one, ends)) held.delete(text);
}

/** Forgets the oldest `unsubscribe`; false where there is none. */
function forgetOldest(ends: Map<string, End>): boolean {
  for (const [text, { wide }] of ends) {
    if (!wide) return ends.delete(text);
  }
  return false;
}

import type { Position } from "@bellwire/protocol";
import { feedName } from "../log.js";
import {
  MAX_LISTED,
  type MemberChange,
  type PresenceChanges,
  type PresenceListener,
  type PresenceSnapshot,
  type PresenceStore,
} from "../presence.js";

const KEPT = 512;

interface Topic {
  readonly epoch: string;
  offset: number;
  /** Their info, as JSON text or "". */
  readonly members: Map<string, string>;
  /** The newest, of which the last has the present offset. */
  readonly changes: MemberChange[];
}

/** Presence of a relay that is alone; nothing survives the process. */
export class MemoryPresence implements PresenceStore {
  readonly #topics = new Map<string, Topic>();
  readonly #listening = new Set<string>();
  readonly reachable = true;
  #listener: PresenceListener | undefined;
  #epoch = 0;

  start(listener: PresenceListener): void {
    this.#listener = listener;
  }

  async apply(site: string, topic: string, changes: readonly MemberChange[]): Promise<{ before: Position; after: Position }> {
    const name = feedName(site, topic);
    let known = this.#topics.get(name);
    if (known === undefined) {
      this.#epoch = Math.max(Date.now() * 1000, this.#epoch + 1);
      known = { epoch: String(this.#epoch), offset: 0, members: new Map(), changes: [] };
      this.#topics.set(name, known);
    }
    const before = known.offset;
    for (const change of changes) applyOne(known, change);
    if (known.offset > before) setImmediate(() => this.#tell(name, site, topic));
    // Gone as soon as nobody is there and nobody listens; who listens later begins anew.
    if (known.members.size === 0 && !this.#listening.has(name)) this.#topics.delete(name);
    const { epoch, offset } = known;
    return { before: { epoch, offset: before }, after: { epoch, offset } };
  }

  #tell(name: string, site: string, topic: string): void {
    if (this.#listening.has(name)) this.#listener?.changed(site, topic);
  }

  async changes(site: string, topic: string, since: Position | undefined): Promise<PresenceChanges> {
    const known = this.#topics.get(feedName(site, topic));
    if (known === undefined) return { head: undefined, count: 0, own: 0, changes: undefined };
    const { epoch, offset, members, changes } = known;
    const missing = since?.epoch === epoch ? offset - since.offset : -1;
    const inFull = missing >= 0 && missing <= changes.length;
    const users = inFull ? changes.slice(changes.length - missing).filter(({ member }) => member.startsWith("u")) : undefined;
    return { head: { epoch, offset }, count: members.size, own: members.size, changes: users };
  }

  async snapshot(site: string, topic: string, listed: boolean): Promise<PresenceSnapshot> {
    const known = this.#topics.get(feedName(site, topic));
    if (known === undefined) return { position: undefined, count: 0, users: [] };
    const { epoch, offset, members } = known;
    const users: [string, string][] = [];
    for (const [member, info] of listed ? members : []) {
      if (users.length === MAX_LISTED) break;
      if (member.startsWith("u")) users.push([member.slice(1), info]);
    }
    return { position: { epoch, offset }, count: members.size, users };
  }

  async own(site: string, topic: string): Promise<ReadonlySet<string>> {
    return new Set(this.#topics.get(feedName(site, topic))?.members.keys());
  }

  async sweep(): Promise<void> {}

  listen(site: string, topic: string): void {
    this.#listening.add(feedName(site, topic));
  }

  unlisten(site: string, topic: string): void {
    const name = feedName(site, topic);
    this.#listening.delete(name);
    if (this.#topics.get(name)?.members.size === 0) this.#topics.delete(name);
  }

  close(): void {
    this.#listening.clear();
    this.#topics.clear();
  }
}

function applyOne(topic: Topic, { member, info }: MemberChange): void {
  const { members, changes } = topic;
  if (info === null ? !members.delete(member) : members.get(member) === info) return;
  if (info !== null) members.set(member, info);
  topic.offset++;
  if (changes.push({ member, info }) > KEPT) changes.shift();
}

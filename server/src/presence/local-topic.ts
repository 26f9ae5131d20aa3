import type { Position } from "@bellwire/protocol";
import type { Connection } from "../connection/connection.js";
import type { Present, PresenceMode } from "./presence-text.js";
import type { MemberChange } from "../stores/presence.js";

/** One who is present through this relay, over any number of its sockets. */
export interface LocalMember {
  readonly topic: LocalTopic;
  readonly member: string;
  sockets: number;
  info: string;
}

/** What one relay knows of a topic that somebody is present on through it. */
export class LocalTopic {
  readonly site: string;
  readonly topic: string;
  readonly mode: PresenceMode;
  /** Connections with the number of their subscriptions here. */
  readonly connections: Map<Connection, number> = new Map();
  readonly members: Map<string, LocalMember> = new Map();
  /** What the store is still to learn: a member's info, or null for one who went. */
  readonly untold: Map<string, string | null> = new Map();
  /** The store may not hold what it was told. */
  doubtful = false;
  /** Writes begun; even while none is under way. */
  writes = 0;
  /** Clients were told of the changes up to here. */
  told: Position | undefined;
  toldCount = -1;
  toldAt: number = Number.NEGATIVE_INFINITY;
  /** This relay's own changes are in what is read from here on. */
  written: Position | undefined;
  timer: NodeJS.Timeout | undefined;
  listed: { readonly present: Present; readonly position: Position; readonly at: number } | undefined;

  constructor(site: string, topic: string, mode: PresenceMode) {
    this.site = site;
    this.topic = topic;
    this.mode = mode;
  }

  get idle(): boolean {
    return this.connections.size === 0 && this.members.size === 0 && this.untold.size === 0 && this.writes % 2 === 0;
  }

  /** Takes some of what is untold; to be given back where telling it fails. */
  take(most: number): MemberChange[] {
    const taken: MemberChange[] = [];
    for (const [member, info] of this.untold) {
      if (taken.length === most) break;
      this.untold.delete(member);
      taken.push({ member, info });
    }
    return taken;
  }

  giveBack(changes: readonly MemberChange[]): void {
    for (const { member, info } of changes) if (!this.untold.has(member)) this.untold.set(member, info);
  }

  /** Finds out what is untold, where the store holds these of this relay's members. */
  compare(own: ReadonlySet<string>): void {
    for (const [member, { info }] of this.members) if (!own.has(member)) this.untold.set(member, info);
    for (const member of own) if (!this.members.has(member)) this.untold.set(member, null);
  }
}

/** Is everything up to `position` in what was read at `read`? */
export function reaches(read: Position, position: Position | undefined): boolean {
  return position === undefined || (read.epoch === position.epoch && read.offset >= position.offset);
}

import type { BellwireError, ParsedFilter, ParsedGrant } from "@bellwire/protocol";
import type { Arrival } from "../auth/admission.js";
import type { ConnectionPermit } from "../auth/permits.js";
import type { SubscriptionProof } from "../auth/tickets.js";
import type { Asker } from "../hooks/hooks.js";
import type { Scope } from "../revocations/revocation.js";
import type { Feed } from "../feed/feed.js";
import type { Recipient } from "../feed/member.js";
import type { HeldSubscriptions } from "./held-subscriptions.js";
import { Work } from "../pacing/work.js";
import type { Codec, Frame, Wire } from "../wire/wire.js";

/** Ends a subscription of a connection, if it is still open, and tells the client why. */
export type EndSubscription = (subscription: Subscription, connection: Connection, error: BellwireError) => void;

export interface SubscriptionParts {
  readonly id: string;
  readonly topic: string;
  readonly filter: ParsedFilter;
  readonly feed: Feed;
  readonly proof: SubscriptionProof;
  readonly held: boolean;
  readonly granted: boolean;
  readonly info: unknown;
}

/** One open subscription. */
export class Subscription {
  readonly id: string;
  readonly topic: string;
  readonly filter: ParsedFilter;
  readonly feed: Feed;
  /** What admitted it; its tickets repeat that. */
  proof: SubscriptionProof;
  /** The server made it, so that the client needs no ticket to have it again. */
  readonly held: boolean;
  /** The connection's own grants allow it: it goes on as long as they do. */
  readonly granted: boolean;
  /** Of the user in this topic's presence; undefined: the connection's. */
  readonly info: unknown;
  readonly #end: EndSubscription;

  constructor({ id, topic, filter, feed, proof, held, granted, info }: SubscriptionParts, end: EndSubscription) {
    this.id = id;
    this.topic = topic;
    this.filter = filter;
    this.feed = feed;
    this.proof = proof;
    this.held = held;
    this.granted = granted;
    this.info = info;
    this.#end = end;
  }

  /** Ends it, if it is still open, and tells the client why. */
  end(connection: Connection, error: BellwireError): void {
    this.#end(this, connection, error);
  }
}

/** A subscribe under way; not wanted any more once it was cancelled. */
export interface Intent {
  wanted: boolean;
  /** What is to be heard; undefined until it was read. */
  scope: Scope | undefined;
  /** Set aside for it. */
  rooms: number;
}

export interface ConnectionHost {
  /** Bytes that may wait for one client; past it the connection is closed. */
  readonly maxWaitingBytes: number;
  delivered(): void;
  /** The client can't keep up. Called once, never from inside `send`. */
  slow(connection: Connection): void;
}

let opened = 0;

/** One client on its site, whatever wire it came over. */
export class Connection implements Recipient {
  readonly wire: Wire;
  readonly codec: Codec;
  readonly site: string;
  readonly user: string;
  readonly session: string;
  /** The page load's id, or one of ours. */
  readonly client: string;
  /** The browser's headers that backends may see. */
  readonly headers: Readonly<Record<string, string>>;
  permit: ConnectionPermit;
  readonly subscriptions: Map<string, Subscription> = new Map();
  /** Rooms that its subscriptions take, made and under way; personal topics not counted. */
  rooms = 0;
  /** Subscribes under way, by id; undefined while there are none. */
  pending: Map<string, Intent> | undefined;
  /** Subscriptions that the server made, or that the client comes back for; undefined where there were none. */
  held: HeldSubscriptions | undefined;
  #work: Work | undefined;
  /** When tickets were last sent, epoch seconds. */
  ticketsAt: number;
  closed = false;
  /** Observers were told that it is open, and are to be told that it is gone. */
  observed = false;
  /** Why the relay ended it; undefined where it did not. */
  farewell: BellwireError | undefined;
  /** Counts up over the process, in the order in which connections opened. */
  readonly number: number = ++opened;
  /** Epoch seconds, whole. */
  readonly openedAt: number = Math.floor(Date.now() / 1000);
  readonly #host: ConnectionHost;

  constructor(wire: Wire, permit: ConnectionPermit, { client, headers }: Pick<Arrival, "client" | "headers">, host: ConnectionHost) {
    this.wire = wire;
    this.codec = wire.codec;
    this.permit = permit;
    this.site = permit.site;
    this.user = permit.user;
    this.session = permit.session;
    this.client = client;
    this.headers = headers;
    this.ticketsAt = Date.now() / 1000;
    this.#host = host;
  }

  /** Another one after each reconnect. */
  get id(): string {
    return this.wire.id;
  }

  /** This connection, as backends hear of it. */
  get asker(): Asker {
    const { site, user, session, client, id, headers, permit } = this;
    return { site, user, session, client, connection: id, headers, info: permit.info };
  }

  /** What it may still cost the relay. */
  get work(): Work {
    return (this.#work ??= new Work());
  }

  get grants(): readonly ParsedGrant[] {
    return this.permit.grants;
  }

  send(frame: Frame): void {
    if (this.closed) return;
    this.#host.delivered();
    this.wrote(this.wire.write(frame));
  }

  /** Tells an event. What is raw in its arguments is written as it is. */
  tell(event: string, ...args: readonly unknown[]): void {
    if (this.closed) return;
    this.wrote(this.wire.write(this.codec.event(this.site, event, args)));
  }

  /** Bounds what waits for a client that does not read. @param waiting what a write to the wire has answered */
  wrote(waiting: number): void {
    if (waiting <= this.#host.maxWaitingBytes || this.closed) return;
    this.closed = true;
    // Later: whoever is sending may be walking the rooms that closing changes.
    setImmediate(() => this.#host.slow(this));
  }

  /** Says why, then closes. */
  bye(error: BellwireError): void {
    this.closed = true;
    this.farewell = error;
    this.wire.bye(error);
  }

  /** Closes without waiting for what the client never took. */
  drop(error: BellwireError): void {
    this.closed = true;
    this.farewell = error;
    this.wire.drop(error);
  }
}
